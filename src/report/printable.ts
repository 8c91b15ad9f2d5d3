/**
 * Text that came out of an image, a package or a path, made safe to print: one line, no control characters of any kind,
 * nothing that reorders or hides what stands beside it, and no longer than a screen can take.
 */

const lengthLimit = 240;

// C0, DEL and C1 controls; zero-width and bidirectional marks; line and paragraph separators; lone surrogates; the byte order mark.
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function printable(text: string, limit = lengthLimit): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
