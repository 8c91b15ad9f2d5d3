/**
 * What to do about a runtime and a guest image that do not fit, by what this node is: a package that is on hold, an image that no package
 * brings, one that is built here, kata-deploy. And how the other packages of a stopped transaction go on.
 */

import type { Builder } from '../locate/builders.ts';
import type { Image, Runtime, State } from '../state/node.ts';
import type { Finding } from './findings.ts';
import { type Manager, managerOf } from './managers.ts';
import { repeated, shellWord } from './shell.ts';

type Remedy = Finding['remedy'];

export interface Unfit {
  readonly runtime: Runtime;
  readonly image: Image;
  /** The agents that would fit, as a range or a version. */
  readonly wanted: string;
  /** A further way, as ", or change …"; empty when there is none. */
  readonly otherwise?: string;
}

export function remedyOn(unfit: Unfit, manager: Manager | undefined): Remedy {
  const { runtime, image, wanted, otherwise = '' } = unfit;
  const keep = `${keepText(unfit)}${otherwise}`;
  const { comes, stays } = packagesOf(runtime, image);
  const undo = manager?.keep?.by === 'hold' && comes.length > 0 ? keepCommand(manager, comes) : null;
  const [held] = stays.filter((name) => isHeld(unfit, name));
  if (held !== undefined && manager !== undefined) return heldRemedy(held, comes, manager, keep);
  if (image.incoming !== null && runtime.isIncoming)
    return withHold(`Install a guest image with agent ${wanted} instead of this one${keep}.`, undo);
  if (stays.length > 0 && comes.length > 0) {
    const command = manager?.install([...comes, ...stays].map(shellWord)) ?? null;
    const text = `Install a guest image with agent ${wanted} in the same transaction${keep}.`;
    return command === null ? withHold(text, undo) : { text, commands: [command] };
  }
  const { builder } = image;
  const comesBefore = runtime.isIncoming && runtime.name !== builder?.package;
  if (builder !== undefined && (comesBefore || builder.commands.length > 0))
    return builderRemedy(builder, unfit, manager);
  return withHold(`${imageText(unfit)}${keep}.`, undo);
}

/** What comes of the two, and what stays; a runtime or an image that no package owns is in neither. */
function packagesOf(runtime: Runtime, image: Image): { comes: string[]; stays: string[] } {
  const named = (...names: readonly (string | null)[]): string[] => [...new Set(names.filter((name) => name !== null))];
  // A runtime that no package owns is named by its path.
  const owner = runtime.name.startsWith('/') ? null : runtime.name;
  const comes = named(runtime.isIncoming ? owner : null, image.incoming === null ? null : image.package);
  return { comes, stays: named(owner, image.package).filter((name) => !comes.includes(name)) };
}

function isHeld({ runtime, image }: Unfit, name: string): boolean {
  return (runtime.isHeld === true && runtime.name === name) || (image.isHeld === true && image.package === name);
}

function keepText({ runtime, image }: Unfit): string {
  if (runtime.isIncoming && runtime.replaces !== null) return `, or keep ${runtime.name} at ${runtime.replaces}`;
  return image.incoming === null ? '' : ', or keep the guest image that is installed';
}

/** Where no package brings the image. */
function imageText({ image, wanted }: Unfit): string {
  const { facts, usedBy, package: owner } = image;
  const { path } = facts;
  if (owner !== null || image.incoming !== null) return `Install a guest image with agent ${wanted}`;
  if (path.startsWith('/opt/kata/') && facts.resolvedPath.startsWith('/opt/kata/'))
    return `Upgrade kata-deploy (helm upgrade), or unpack the kata-static archive, to a release with agent ${wanted}`;
  const [user] = usedBy;
  const place =
    user === undefined || user.path === path ? '' : `, or name another image in ${user.namedIn ?? user.path}`;
  return `No package brings ${path}. Build it again with agent ${wanted}${place}`;
}

function builderRemedy(
  { package: tools, commands }: Builder,
  { runtime, image }: Unfit,
  manager: Manager | undefined,
): Remedy {
  const { path } = image.facts;
  const isKnown = commands.length > 0;
  if (!runtime.isIncoming || runtime.name === tools)
    return { text: `${path} is built on this node out of the agent in ${tools}. Build it again.`, commands };
  const origin = isKnown
    ? `${path} is built on this node out of the agent in ${tools}.`
    : `No package brings ${path}, but ${tools} brings an agent for it.`;
  const install = (name: string): string[] => [manager?.install([name]) ?? null].filter((command) => command !== null);
  return {
    text: `${origin} Upgrade ${tools} first, then build the image again, and then upgrade ${runtime.name}.`,
    // Not without the step between them, which nobody but the admin knows.
    commands: isKnown ? [...install(tools), ...commands, ...install(runtime.name)] : install(tools),
  };
}

/** Neither half can be had alone: both are released, or both are kept. */
function heldRemedy(held: string, comes: readonly string[], manager: Manager, keep: string): Remedy {
  const both = manager.install([...comes, held].map(shellWord));
  if (manager.keep?.by !== 'hold' || both === null)
    return { text: `${held} is on hold. Install it together with ${comes.join(' and ')}${keep}.`, commands: [] };
  return {
    text: `${held} is on hold. Take the hold away and install both (the first two commands). Or hold ${comes.join(' and ')} as well (the last command), so that everything else goes on.`,
    commands: [manager.keep.release([held].map(shellWord)), both, manager.keep.hold(comes.map(shellWord))],
  };
}

interface Hold {
  readonly command: string;
  readonly release: string;
}

function keepCommand({ keep }: Manager, names: readonly string[]): Hold | null {
  if (keep?.by !== 'hold') return null;
  const words = names.map(shellWord);
  return { command: keep.hold(words), release: keep.release(words) };
}

function withHold(text: string, hold: Hold | null): Remedy {
  if (hold === null) return { text, commands: [] };
  return { text: `${text} The command below keeps it; "${hold.release}" undoes that.`, commands: [hold.command] };
}

/** How the other packages of a stopped transaction go on without Kata; null where there are none. */
export function waiting({ changing, manager, commandLine }: State): Remedy | null {
  const known = managerOf(manager);
  if (changing === null || changing.others === 0 || changing.kata.length === 0 || known === undefined) return null;
  const { kata, others } = changing;
  const names = kata.join(' and ');
  const wait = others === 1 ? '1 other package waits' : `${others} other packages wait`;
  if (commandLine?.some((word) => kata.some((name) => isAskedBy(word, name))) === true)
    return { text: `${wait}. To install them now, repeat the command without ${names}.`, commands: [] };
  const install = others === 1 ? 'installs it and leaves' : 'installs them and leaves';
  if (known.keep === null) return { text: `${wait}. To install them now, leave ${names} out.`, commands: [] };
  if (known.keep.by === 'option') {
    const words = known.keep.words(kata);
    const again = repeated(commandLine, { words });
    if (again !== null)
      return {
        text: `${wait}. This command ${install} ${names} ${kata.length === 1 ? 'as it is' : 'as they are'}:`,
        commands: [again],
      };
    return { text: `${wait}. Give ${known.name} the option ${words.join(' ')} to install them now.`, commands: [] };
  }
  const words = kata.map(shellWord);
  const again = repeated(commandLine, {});
  const undo = `"${known.keep.release(words)}" undoes the hold`;
  if (again === null)
    return {
      text: `${wait}. Hold ${names}, and the next run installs the rest; ${undo}.`,
      commands: [known.keep.hold(words)],
    };
  return {
    text: `${wait}. Hold ${names} and repeat the command to install the rest now; ${undo}.`,
    commands: [known.keep.hold(words), again],
  };
}

/** Whether a word of a command line asks for a package: by its name, with a version or an architecture, or by its file. */
function isAskedBy(word: string, name: string): boolean {
  const last = word.slice(word.lastIndexOf('/') + 1);
  return (
    last === name ||
    (last.startsWith(name) && /^[=:_+-]/.test(last.slice(name.length)) && !/^-[a-z]/.test(last.slice(name.length)))
  );
}
