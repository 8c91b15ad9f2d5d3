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
      'Containers would fail to start, or fail later at a call that one side does not know.',
    remedy: 'Install runtime and guest image together, or keep the runtime that fits the image. Drain the node before.',
  },
  {
    code: 'KC102',
    severity: 'block',
    title: 'the protocol broke between the Kata runtime and the agent',
    meaning:
      'Between the two releases the transport or a message changed, so that neither side understands the other, or the runtime is ' +
      'the older one and calls what the agent no longer has. `kata-check protocol RUNTIME AGENT` names the change.',
    remedy: 'Install runtime and guest image of the same side of the break, together, on a drained node.',
  },
  {
    code: 'KC103',
    severity: 'block',
    title: 'the Kata runtime makes calls that the agent does not have',
    meaning:
      'The runtime is the newer one, and calls were added to the protocol after the agent was released. Each fails where the ' +
      'feature that makes it is used; some are made for every sandbox. `kata-check protocol AGENT RUNTIME` lists them.',
    remedy:
      'Install the newer guest image first or together with the runtime. Where none of these features is used, allow it, or ' +
      'say under [requires] in /etc/kata-check.conf which agents work.',
  },
  {
    code: 'KC104',
    severity: 'warn',
    title: 'runtime and agent are further apart than the rule allows',
    meaning:
      'Nothing declares which agents this runtime works with, and the history of the protocol does not tell (`kata-check ' +
      'protocol`: it ends somewhere), so that the rule of the configuration decides: exact, minor (the same major and minor ' +
      'version) or skew=N (the agent may lag N minor versions). This pair is outside of it.',
    remedy:
      'Bring both to the same release, or, where the pair is known to work, say so under [requires] in /etc/kata-check.conf.',
  },
  {
    code: 'KC106',
    severity: 'block',
    title: 'the root hash in the configuration is not that of the guest image',
    meaning:
      'The guest image is measured: its kernel is given a root hash and refuses to start from anything else. The configuration gives ' +
      'another hash than the one that the hash partition of the image has, so that no pod will start with it. Where the configuration ' +
      'gives none, root_hash_VARIANT.txt beside the image is compared: another hash there is only a warning, as pods start.',
    remedy:
      'Install the image and the configuration of one release, or put the root hash of the image into the configuration.',
  },
  {
    code: 'KC107',
    severity: 'warn',
    title: 'names of drivers or device paths differ between runtime and agent',
    meaning:
      'No call is missing, but the runtime may send the name of a storage or device driver, or a path of a device in a form, ' +
      'that this agent does not know. A container that needs it then fails to start.',
    remedy:
      'Bring runtime and guest image to the same release, or test the kinds of volumes and devices that the pods use.',
  },
  {
    code: 'KC201',
    severity: 'warn',
    title: 'nothing in the guest image names its agent version',
    meaning:
      'The image can be read, but neither osbuilder.yaml nor the agent binary gives a version, so that nobody can tell ' +
      'whether it fits.',
    remedy:
      'Build the image with a VERSION file in place, or from a git checkout; then osbuilder.yaml names the version.',
  },
  {
    code: 'KC202',
    severity: 'warn',
    title: 'the guest image cannot be read',
    meaning: 'The image is corrupt, of a form that is not supported, encrypted, or not readable for this user.',
    remedy: 'Look at it with `kata-check image PATH`; run as root where only root may read it.',
  },
  {
    code: 'KC203',
    severity: 'warn',
    title: 'a configured guest image is missing',
    meaning:
      'The configuration names an image that is not there, or a symbolic link to one that dangles. No pod will start with it.',
    remedy: 'Install the image, or correct the path in the configuration.',
  },
  {
    code: 'KC204',
    severity: 'warn',
    title: 'no requirement is known for the Kata runtime',
    meaning:
      'The version of the runtime is unknown or of no known form, or its package declares a range that cannot be read, so that ' +
      'nothing says which agents it works with.',
    remedy: 'Give it with --to and --requires, or under [requires] in /etc/kata-check.conf.',
  },
  {
    code: 'KC205',
    severity: 'warn',
    title: 'the agent in the incoming guest image is not known',
    meaning:
      'An image package comes in that does not state its agent, and the image in it could not be read. Until it is installed nobody ' +
      'can tell whether it fits.',
    remedy:
      'After the installation run `kata-check`. Packagers: declare XB-Kata-Agent-Version in debian/control, or `Provides: kata-agent ' +
      '= VERSION` in the spec file.',
  },
  {
    code: 'KC301',
    severity: 'warn',
    title: 'sandboxes are running: drain the node before the upgrade',
    meaning:
      'Pods run in Kata virtual machines on this node while the runtime or the guest image is about to be replaced. They keep ' +
      'the pair they were started with until they end, but what their shims start anew comes from the new files.',
    remedy: 'Drain the node, upgrade, and let it take pods again.',
  },
  {
    code: 'KC302',
    severity: 'warn',
    title: 'the guest image is removed and the Kata runtime stays',
    meaning:
      'The transaction removes the package that owns a configured image. The runtime that stays cannot start pods with it.',
    remedy: 'Remove both, or install another image and name it in the configuration.',
  },
  {
    code: 'KC303',
    severity: 'info',
    title: 'a local configuration masks the packaged one',
    meaning:
      'The runtime reads the first configuration that it finds, and does not look at those behind it: what a package brings there, a new ' +
      'image too, has no effect on this node.',
    remedy: 'Compare the two, or keep what is local in a file in config.d beside the packaged one.',
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
  readonly remedy: { readonly text: string; readonly commands: readonly string[] };
}
