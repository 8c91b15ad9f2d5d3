/**
 * Which members of a tar archive are the layers of a container image. Two forms, and archives that are both at once:
 * Docker's `docker save` (manifest.json: a list with `Layers`), and the OCI image layout (index.json leads to a manifest below
 * blobs/, whose `layers` have digests). Sources: moby image-spec v1.2; opencontainers/image-spec image-layout.md, manifest.md.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import { utf8 } from '../read/bytes.ts';
import { Content, type Member, PieceReader } from './members.ts';

/** Manifests have some kB. */
const documentLimit = 1024 * 1024;
/** Of all that are kept in mind. */
const documentsLimit = 16 * 1024 * 1024;
/** Members that can be a manifest; an image has as many as it has layers, and two or three more. */
const candidateLimit = 1000;
const memberLimit = 10_000;

/**
 * Paths of the layers; undefined for what is no container image. `members` begins anew at each call.
 * Throws what the members throw, Corrupt (a manifest that is none), Unsupported (several images).
 */
export async function layersOf(members: () => AsyncIterable<Member>, what: string): Promise<Set<string> | undefined> {
  const documents = await documentsIn(members(), what);
  if (documents === undefined) return undefined;
  const docker = documents.get('manifest.json');
  if (docker !== undefined) return layersOfDocker(parsed(docker, `${what}, manifest.json`), what);
  const index = documents.get('index.json');
  return index === undefined ? undefined : layersOfOci(parsed(index, `${what}, index.json`), documents, what);
}

/** The texts that can be manifests, by their path; undefined as soon as a member shows that this is no container image. */
async function documentsIn(members: AsyncIterable<Member>, what: string): Promise<Map<string, string> | undefined> {
  const documents = new Map<string, string>();
  let count = 0;
  let bytes = 0;
  for await (const member of members) {
    count += 1;
    const isOfImage =
      /^(?:manifest\.json|index\.json|oci-layout|repositories|blobs(?:\/sha256)?(?:\/[0-9a-f]{64})?|[0-9a-f]{64}(?:\.(?:json|tar)|\/.*)?)\/?$/.test(
        member.path,
      ) || member.path === '';
    if (!isOfImage || count > memberLimit) return undefined;
    if (member.type !== 'file' || member.size > documentLimit || documents.size === candidateLimit) continue;
    const text = utf8(await member.content(documentLimit)) ?? '';
    // A small layer is no manifest.
    if (!member.path.endsWith('.json') && !/^\s*{/.test(text)) continue;
    bytes += text.length;
    if (bytes > documentsLimit) throw new LimitExceeded(`${what}: manifests of more than ${documentsLimit} bytes`);
    documents.set(member.path, text);
  }
  return documents;
}

/** Whether it is an image in the OCI layout that is no archive but a folder, as skopeo and buildah write it. */
export function isLayout(host: Host, path: string): boolean {
  return (
    followedStatus(host, path)?.kind === 'directory' && followedStatus(host, `${path}/index.json`)?.kind === 'file'
  );
}

const blobs = 'blobs/sha256';
const readSize = 256 * 1024;

/** What such a folder holds, as an archive of it would. Throws NotFound, Io. */
export async function* layoutMembers(host: Host, folder: string): AsyncGenerator<Member> {
  const names = host.readDirectory(`${folder}/${blobs}`).sort();
  for (const path of ['index.json', ...names.map((name) => `${blobs}/${name}`)]) {
    const file = host.open(`${folder}/${path}`);
    try {
      const read = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < file.size; at += readSize) yield file.read(at, Math.min(readSize, file.size - at));
      };
      const place = `${folder}, ${path}`;
      const content = new Content(new PieceReader(read(), place), file.size, place);
      yield {
        path,
        type: 'file',
        size: file.size,
        target: '',
        identity: null,
        content: (limit) => content.all(limit),
        pieces: () => content.pieces(),
      };
    } finally {
      file.close();
    }
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Corrupt(`${place}: is no valid JSON`);
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function onlyOne<T>(images: readonly T[], what: string): T | undefined {
  if (images.length > 1) {
    throw new Unsupported(`${what}: holds ${images.length} images; save the one for this node's architecture alone`);
  }
  return images[0];
}

function layersOfDocker(manifest: unknown, what: string): Set<string> {
  const { Layers: layers } = fieldsOf(onlyOne(listOf(manifest), what));
  return new Set(listOf(layers).filter((layer) => typeof layer === 'string'));
}

/** An index may lead to another index, as that of an image for several architectures. */
function layersOfOci(index: unknown, documents: ReadonlyMap<string, string>, what: string): Set<string> {
  let document = fieldsOf(index);
  for (let depth = 0; document.layers === undefined; depth += 1) {
    // Attestations are listed beside the images of their platforms, as one of the platform "unknown".
    const images = listOf(document.manifests).filter(
      (entry) => fieldsOf(fieldsOf(entry).platform).architecture !== 'unknown',
    );
    const paths = images.map((entry) => blobPath(fieldsOf(entry).digest));
    // The index of an image for several architectures goes along whole when only one of them was pulled.
    const present = paths.filter((blob) => blob !== undefined && documents.has(blob));
    const path = onlyOne(present.length > 0 ? present : paths, what);
    const text = path === undefined ? undefined : documents.get(path);
    if (text === undefined || depth === 3) throw new Corrupt(`${what}: its index leads to no manifest`);
    document = fieldsOf(parsed(text, `${what}, ${path}`));
  }
  return new Set(
    listOf(document.layers).map((layer) => {
      const { digest } = fieldsOf(layer);
      const path = blobPath(digest);
      if (path === undefined) throw new Unsupported(`${what}: a layer of the digest ${JSON.stringify(digest)}`);
      return path;
    }),
  );
}

function blobPath(digest: unknown): string | undefined {
  return typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest)
    ? `${blobs}/${digest.slice('sha256:'.length)}`
    : undefined;
}
