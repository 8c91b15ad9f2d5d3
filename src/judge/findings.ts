/**
 * Every finding that kata-check can make, with what `kata-check explain` says of it. Codes never change their meaning.
 */

export const severities = ['info', 'warn', 'block'] as const;
export type Severity = (typeof severities)[number];

export interface FindingKind {
  readonly code: string;
  /** Before configuration and options. */
  readonly severity: Severity;
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
}

/** In the order of their codes: 1xx judge a pair, 2xx say what is not known, 3xx are about the node. */
export const findingKinds = [
  {
    code: 'KC101',
    severity: 'block',
    title: 'the guest image does not fit the Kata runtime',
    meaning:
      'The runtime declares which agent versions it works with, and the agent in the guest image is not among them. ' +
      'Containers would not start, or would fail later when one side makes a call that the other does not know.',
    remedy:
      'Install a runtime and a guest image that fit each other in one transaction, or keep the runtime that fits the image.',
  },
  {
    code: 'KC102',
    severity: 'block',
    title: 'the Kata runtime and the agent do not understand each other',
    meaning:
      'Between the two releases the transport, a message or the meaning of a value changed, and pods of this node meet it: they do ' +
      'not start, or they run with less than they ask for. `kata-check protocol RUNTIME AGENT` shows the change and its source.',
    remedy:
      'Install a runtime and a guest image that are both older, or both newer, than the change, in one transaction.',
  },
  {
    code: 'KC103',
    severity: 'block',
    title: 'the Kata runtime asks for what the agent does not have',
    meaning:
      'The runtime of this node makes a call, or sends the name of a driver or an option, that the agent does not have, and pods or ' +
      'containers fail by it. Only what this node uses counts, by its configuration. `kata-check protocol RUNTIME AGENT` shows it all.',
    remedy:
      'Install the newer guest image before the runtime or in the same transaction, or change the setting that the finding names. If you ' +
      'know that such an agent works, write into the section [requires] of /etc/kata-check.conf which agents do.',
  },
  {
    code: 'KC104',
    severity: 'warn',
    title: 'runtime and agent are further apart than the rule allows',
    meaning:
      'Nothing declares which agents this runtime works with, and the history of the protocol, which `kata-check protocol` prints, does ' +
      'not cover this pair. Then the rule of the configuration decides: exact, minor (the same major and minor version) or skew=N (the ' +
      'agent may be N minor versions older). The rule does not allow this pair.',
    remedy:
      'Bring both to the same release. If you know that the pair works, write it into the section [requires] of ' +
      '/etc/kata-check.conf.',
  },
  {
    code: 'KC105',
    severity: 'block',
    title: 'two places name different versions of the agent in one guest image',
    meaning:
      'The file osbuilder.yaml in the image and the binary of the agent name different versions, or a package states another version than ' +
      'the image in it holds. One of the two is wrong, and what kata-check judges by it may be wrong, too. A package that you name on the ' +
      'command line is blocked. For an image that is installed, and in a hook, this finding is a warning only.',
    remedy:
      'Build the image again, so that osbuilder.yaml is of the agent in it. In a package correct Kata-Agent-Version, or in an rpm ' +
      '`Provides: kata-agent = VERSION`. `kata-check image --deep PATH` shows both versions.',
  },
  {
    code: 'KC106',
    severity: 'block',
    title: 'the root hash in the configuration is not that of the guest image',
    meaning:
      'The guest image is measured: the runtime gives the guest kernel a root hash, and the kernel refuses an image with another one. The ' +
      'hash in the configuration is not that of the image, so that no pod starts. If the configuration gives no hash, kata-check looks ' +
      'into root_hash_VARIANT.txt beside the image. Another hash there is a warning only, because pods start.',
    remedy:
      'Install the image and the configuration of one release, or put the root hash of the image into the configuration.',
  },
  {
    code: 'KC107',
    severity: 'warn',
    title: 'certain pods or operations fail with this agent',
    meaning:
      'The agent does not have a call, a driver or a value that the runtime uses only for certain pods or by hand, which the finding ' +
      'names; or what would be a block is not certain, as a version or a configuration is not known.',
    remedy: 'Bring runtime and guest image to the same release, unless this node has no such pods.',
  },
  {
    code: 'KC201',
    severity: 'warn',
    title: 'nothing in the guest image names its agent version',
    meaning:
      'The image can be read, but neither osbuilder.yaml nor the binary of the agent in it gives a version. Nobody can tell ' +
      'whether the image fits.',
    remedy:
      'Build the image from a git checkout of Kata Containers, or with the file VERSION in place. Then osbuilder.yaml names the version.',
  },
  {
    code: 'KC202',
    severity: 'warn',
    title: 'the guest image cannot be read',
    meaning:
      'The image is corrupt, encrypted, of a form that kata-check does not know, or this user may not read it. Nobody can tell whether ' +
      'it fits.',
    remedy: 'Let `kata-check image PATH` say more. Run kata-check as root if only root may read the image.',
  },
  {
    code: 'KC203',
    severity: 'warn',
    title: 'a configured guest image is missing',
    meaning:
      'The configuration names an image that does not exist, or a symbolic link that leads to nothing. No pod starts with it.',
    remedy: 'Install the image, or correct its path in the configuration.',
  },
  {
    code: 'KC204',
    severity: 'warn',
    title: 'no requirement is known for the Kata runtime',
    meaning:
      'The version of the runtime is unknown, or kata-check cannot read it, or cannot read the range of agents that the package of the ' +
      'runtime declares. Nobody can tell which agents this runtime works with.',
    remedy:
      'Give the version with --to or the agents with --requires, or write them into the section [requires] of /etc/kata-check.conf.',
  },
  {
    code: 'KC205',
    severity: 'warn',
    title: 'the agent in the incoming guest image is not known',
    meaning:
      'The package of a guest image comes in. It does not state the version of the agent, and kata-check cannot read the image in it. ' +
      'Nobody can tell whether the image fits before it is installed.',
    remedy:
      'Run `kata-check` after the installation. Packagers declare the version with XB-Kata-Agent-Version in debian/control, or with ' +
      '`Provides: kata-agent = VERSION` in the spec file.',
  },
  {
    code: 'KC206',
    severity: 'info',
    title: 'the guest image is made anew by the incoming package',
    meaning:
      'No package owns this guest image: a script of the incoming package builds it on this node, from the agent that the package brings. ' +
      'What the image holds now says nothing of what it will hold, so that kata-check does not judge it before the upgrade. Afterwards the ' +
      'trigger of kata-check reads it, and warns when the script has failed. `rebuilt[]` under [images] in /etc/kata-check.conf names ' +
      'images of which kata-check does not see that they are built.',
    remedy: 'After the upgrade run `kata-check`, and build the image again where it does not fit.',
  },
  {
    code: 'KC301',
    severity: 'warn',
    title: 'sandboxes are running: drain the node before the upgrade',
    meaning:
      'Pods run in virtual machines of Kata on this node while its runtime or its guest image is about to be replaced. These pods keep ' +
      'the old runtime and image until they end. But processes that are started for them later come from the new files, and may not fit.',
    remedy: 'Drain the node, upgrade it, and then let it take pods again.',
  },
  {
    code: 'KC302',
    severity: 'warn',
    title: 'the guest image is removed and the Kata runtime stays',
    meaning:
      'The transaction removes the package of an image that the configuration names, or upgrades it to one that brings another image in its ' +
      'place, while the configuration stays as you changed it. The runtime stays, and cannot start pods with this image any more.',
    remedy: 'Remove the runtime too, or install another image and name it in the configuration.',
  },
  {
    code: 'KC303',
    severity: 'info',
    title: 'a local configuration masks the packaged one',
    meaning:
      'The runtime reads the first configuration that it finds, and ignores the later ones. What a package writes into a later one, as ' +
      'the path of a new image, has no effect on this node.',
    remedy:
      'Compare the two files. Or keep your own settings in a file in the folder config.d beside the packaged one.',
  },
] as const satisfies readonly FindingKind[];

export type Code = (typeof findingKinds)[number]['code'];

export const codes: readonly string[] = findingKinds.map(({ code }) => code);

export function findingKind(code: Code): FindingKind {
  return findingKinds.find((kind) => kind.code === code) as FindingKind;
}

/** One line of what is known: a label, the value, and where it is from. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  readonly from: string;
}

export interface Finding {
  readonly code: Code;
  readonly severity: Severity;
  readonly title: string;
  readonly facts: readonly Fact[];
  /** What would happen, in one sentence. */
  readonly consequence: string;
  /** Paths of images, names of packages. */
  readonly affects: readonly string[];
  /** Calls that the runtime makes and the agent does not have; absent where the finding is not about calls. */
  readonly missing?: readonly string[];
  readonly remedy: { readonly text: string; readonly commands: readonly string[] };
}
