/**
 * The programs of Kata that are a runtime, and where they are installed. Data alone: every run of a package manager asks for them.
 */

/** Where kata-deploy and the static tarballs install, unless they are told another place. */
export const deployed = '/opt/kata';
/** Where pacman keeps what is installed: see pacman.ts. */
export const pacmanDatabase = '/var/lib/pacman/local';
/** Where the snap is mounted. */
export const snap = '/snap/kata-containers/current/usr';
/** Where Azure Linux has the runtime for confidential pods, but for its shim. */
export const confidential = '/opt/confidential-containers';

export interface Program {
  readonly path: string;
  /** Below which directory it and its packaged configuration are installed. */
  readonly prefix: string;
  /** Null where the shim of either kind can be. */
  readonly language: 'go' | 'rust' | null;
}

/** Programs that are a runtime, in the order in which one speaks for its prefix. */
export const runtimePrograms: readonly Program[] = [
  { prefix: '/usr', language: 'go', path: '/usr/bin/kata-runtime' },
  { prefix: '/usr', language: null, path: '/usr/bin/containerd-shim-kata-v2' },
  { prefix: '/usr/local', language: 'go', path: '/usr/local/bin/kata-runtime' },
  { prefix: '/usr/local', language: null, path: '/usr/local/bin/containerd-shim-kata-v2' },
  { prefix: deployed, language: 'go', path: '/opt/kata/bin/kata-runtime' },
  { prefix: deployed, language: 'go', path: '/opt/kata/bin/containerd-shim-kata-v2' },
  { prefix: deployed, language: 'rust', path: '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2' },
  { prefix: snap, language: 'go', path: `${snap}/bin/kata-runtime` },
  { prefix: snap, language: null, path: `${snap}/bin/containerd-shim-kata-v2` },
  // Azure Linux, for confidential pods.
  { prefix: confidential, language: 'go', path: `${confidential}/bin/kata-runtime` },
  { prefix: confidential, language: null, path: '/usr/local/bin/containerd-shim-kata-cc-v2' },
  { prefix: confidential, language: null, path: '/usr/bin/containerd-shim-kata-cc-v2' },
];

/** What a static tarball brings when it is installed below another prefix. */
export function programsBelow(prefix: string): Program[] {
  return runtimePrograms.flatMap((program) =>
    program.prefix === deployed ? [{ ...program, prefix, path: prefix + program.path.slice(deployed.length) }] : [],
  );
}
