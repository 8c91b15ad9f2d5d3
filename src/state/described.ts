/**
 * What one file says of the agent protocol: a program, the agent in a guest image, or the programs in a package. By its content it is seen which of
 * these it is.
 */

import { IncomingPayload } from '../archive/incoming.ts';
import { openPackage } from '../archive/package.ts';
import { Problem, Unsupported } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { resolvePath } from '../host/rooted.ts';
import { usualImages } from '../locate/installation.ts';
import { describeProgram, versionInProgram } from '../locate/runtimes.ts';
import type { Description } from '../protocol/descriptors.ts';
import { latin1 } from '../read/bytes.ts';
import { readImage } from '../read/image.ts';
import { Descriptions, PayloadDescriptions } from './evidence.ts';

export interface Described {
  readonly path: string;
  readonly kind: 'program' | 'image' | 'package' | null;
  /** As the program, the image or the package writes it; null when unknown. */
  readonly version: string | null;
  /** Null when it says nothing. */
  readonly description: Description | null;
  /** Why it could not be read; null when it could. */
  readonly problem: string | null;
}

/** Of these, a tarball cannot be told from an initrd by its first bytes. */
const tarballName = /\.(?:tar(?:\.[a-z0-9]+)?|tgz|txz)$/;
const headBytes = 8;

/** `deadline`: milliseconds on the host's clock. Never throws for what the file is. */
export async function describeFile(host: Host, path: string, deadline: number): Promise<Described> {
  try {
    const resolved = resolvePath(host, '', path);
    const head = headOf(host, resolved);
    if (head.startsWith('\x7fELF')) {
      const [version, description] = [versionInProgram, describeProgram].map((read) => read(host, resolved, deadline));
      return { path, kind: 'program', version, description, problem: null } as Described;
    }
    const isPackage = head.startsWith('!<arch>\n') || head.startsWith('\xed\xab\xee\xdb') || tarballName.test(resolved);
    return await (isPackage ? describePackage : describeImage)(host, path, deadline);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { path, kind: null, version: null, description: null, problem: error.message };
  }
}

function headOf(host: Host, path: string): string {
  const file = host.open(path);
  try {
    return latin1(file.read(0, Math.min(file.size, headBytes)));
  } finally {
    file.close();
  }
}

async function describeImage(host: Host, path: string, deadline: number): Promise<Described> {
  const found = new Descriptions();
  const { agent, problem } = await readImage(host, path, { deadline, observe: () => found.observe() });
  const version = agent?.version.text ?? null;
  return { path, kind: 'image', version, description: found.any(), problem: problem?.message ?? null };
}

/** Its runtimes, else the agent in one of its images. Throws what reading a package throws. */
async function describePackage(host: Host, path: string, deadline: number): Promise<Described> {
  const file = openPackage(host, path, deadline);
  const descriptions = new PayloadDescriptions();
  const names = usualImages.map((image) => image.path);
  const payload = new IncomingPayload(host, file, names, deadline, descriptions.observers);
  try {
    const { version } = await file.fields();
    await payload.places();
    const said = { path, kind: 'package', version: version === '' ? null : version, problem: null } as const;
    const description = [...descriptions.programs.values()].find((one) => one !== null);
    if (description != null) return { ...said, description };
    const images = await payload.images(usualImages.map((image) => ({ path: image.path, names: [image.path] })));
    const agents = [...descriptions.agents.values()].map((one) => one.any()).filter((one) => one !== null);
    if (images.size === 0) throw new Unsupported(`${path}: holds neither a runtime nor a guest image`);
    return { ...said, description: agents[0] ?? null };
  } finally {
    payload.close();
  }
}
