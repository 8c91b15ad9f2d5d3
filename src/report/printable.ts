/**
 * Text that came out of an image, a package or a path, made safe to print: one line, no control characters of any kind,
 * nothing that reorders or hides what stands beside it, and no longer than a screen can take.
 */

const lengthLimit = 240;

// DEL and C1 controls; soft hyphen, zero-width and bidirectional marks; line and paragraph separators; the byte order mark.
const hidden =
  '\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb';
const hiddenOnly = new RegExp(`[${hidden}]`, 'g');
// And C0 controls, and lone surrogates.
const unsafe = new RegExp(
  `[\\u0000-\\u001f${hidden}]|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]`,
  'g',
);

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

export function printable(text: string, limit = lengthLimit): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(unsafe, escaped);
}

/** A JSON document escapes what `printable` does, too: it is often just looked at. JSON itself leaves most of that as it is. */
export function printableJson(document: string): string {
  return document.replace(hiddenOnly, escaped);
}
