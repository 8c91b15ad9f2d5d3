/**
 * `kata-check hook NAME [ARGS…]`: what package managers call.
 */

import { Usage } from '../errors.ts';
import { answer } from '../hook.ts';
import { hookNames } from '../hooks/names.ts';
import { type Context, exitStatus, isColored, statusFor, tellOff } from './command.ts';

export async function run(context: Context): Promise<number> {
  const { host, positionals } = context;
  const [name, ...rest] = positionals;
  const known = hookNames.find((hook) => hook === name);
  if (known === undefined)
    throw new Usage(`${name === undefined ? 'which hook?' : `no hook for ${name};`} one of ${hookNames.join(', ')}`);
  const report = await answer(host, known, rest, {
    color: isColored(host, context, 2),
    tell: async (loaded, warnings) => (await import('./tell.ts')).tell(context, loaded, warnings),
    tellOff: (from) => tellOff(context, from),
    statusOf: (report) => (report === 'failure' ? exitStatus.failure : statusFor(report.verdict, report.findings)),
  });
  return report === null ? exitStatus.goAhead : statusFor(report.verdict, report.findings);
}
