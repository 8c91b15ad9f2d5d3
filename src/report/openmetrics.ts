/**
 * The report as metrics, for the textfile collector of Prometheus' node_exporter: gauges only, which mean the same in OpenMetrics 1.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/) and in the text format that the collector reads.
 */

import type { ReportDocument } from './json.ts';
import { printable } from './printable.ts';

/** The last time that a package manager was stopped: what metrics need of /run/kata-check/last.json. */
export interface LastStop {
  /** As 2026-01-31T12:00:00.000Z. */
  readonly time: string;
  readonly manager: string;
  readonly codes: readonly string[];
  /** When a later transaction of Kata was let through; null while none was. */
  readonly resolved: string | null;
}

type Labels = Readonly<Record<string, string | null>>;
type Sample = readonly [labels: Labels, value: number];

interface Metric {
  readonly name: string;
  readonly help: string;
  /** None: what is measured is not known, and the metric is left out. */
  readonly samples: readonly Sample[];
}

const verdicts = ['ok', 'info', 'warn', 'block'] as const;

export function metricsText(report: ReportDocument, lastStop: LastStop | null): string {
  const lines = metricsOf(report, lastStop).flatMap(({ name, help, samples }) =>
    samples.length === 0
      ? []
      : [
          `# HELP kata_check_${name} ${help}`,
          `# TYPE kata_check_${name} gauge`,
          ...samples.map(([labels, value]) => `kata_check_${name}${labelled(labels)} ${value}`),
        ],
  );
  return `${lines.join('\n')}\n# EOF\n`;
}

function metricsOf(report: ReportDocument, lastStop: LastStop | null): Metric[] {
  const { program, pairs, runtimes, images, findings, sandboxes } = report;
  return [
    { name: 'info', help: 'The program that wrote this.', samples: [[{ version: program.version }, 1]] },
    { name: 'time_seconds', help: 'When the node was checked.', samples: [[{}, seconds(report.time)]] },
    {
      name: 'verdict',
      help: '1 for the verdict on the whole node, 0 for the others.',
      samples: verdicts.map((verdict): Sample => [{ verdict }, report.verdict === verdict ? 1 : 0]),
    },
    {
      name: 'pair_verdict',
      help: '1 for each runtime and guest image that are used together, with the verdict on the two.',
      samples: unique(
        pairs.map((pair) => ({
          runtime: pair.runtime,
          runtime_version: pair.runtimeVersion,
          image: pair.image,
          agent_version: pair.agentVersion,
          verdict: pair.verdict,
          codes: pair.codes.join(','),
        })),
      ),
    },
    {
      name: 'runtime_info',
      help: '1 for each runtime.',
      samples: unique(runtimes.map(({ name, source, version }) => ({ name, source, version }))),
    },
    {
      name: 'image_info',
      help: '1 for each guest image.',
      samples: unique(images.map(({ path, agent }) => ({ path, agent_version: agent?.version ?? null }))),
    },
    { name: 'findings', help: 'How many findings there are of a code.', samples: counted(findings) },
    {
      name: 'sandboxes',
      help: 'How many sandboxes of Kata are running.',
      samples: sandboxes.running === null ? [] : [[{}, sandboxes.running]],
    },
    {
      name: 'last_stop_time_seconds',
      help: 'When a package manager was stopped last.',
      samples:
        lastStop === null
          ? []
          : [[{ manager: lastStop.manager, codes: lastStop.codes.join(',') }, seconds(lastStop.time)]],
    },
    {
      name: 'last_stop_resolved',
      help: '1 when a later transaction of Kata was not stopped.',
      samples: lastStop === null ? [] : [[{}, lastStop.resolved === null ? 0 : 1]],
    },
  ];
}

function seconds(time: string): number {
  return Date.parse(time) / 1000;
}

function counted(findings: ReportDocument['findings']): Sample[] {
  const counts = new Map<string, { labels: Labels; count: number }>();
  for (const { code, severity } of findings) {
    const known = counts.get(`${code} ${severity}`) ?? { labels: { code, severity }, count: 0 };
    counts.set(`${code} ${severity}`, { ...known, count: known.count + 1 });
  }
  return [...counts.values()].map(({ labels, count }) => [labels, count]);
}

/** A series that is there twice makes the collector refuse the whole file. */
function unique(all: readonly Labels[]): Sample[] {
  return [...new Map(all.map((labels) => [labelled(labels), labels])).values()].map((labels) => [labels, 1]);
}

/** What is not known is the empty text, which Prometheus takes for no label. */
function labelled(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${labelValue(value ?? '')}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function labelValue(text: string): string {
  return printable(text, 1000).replace(/[\\"]/g, '\\$&');
}
