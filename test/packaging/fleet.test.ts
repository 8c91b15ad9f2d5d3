/** What packaging/fleet has for Kubernetes and for monitoring: by Kubernetes' own OpenAPI, and as these engines call it. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { forms, sampleNode } from '../e2e/program.ts';
import { run, temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('packaging/fleet');
const folder = join(import.meta.dirname, '../../packaging/fleet');
const kubernetes = join(folder, 'kubernetes');
const read = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}
interface PodSpec {
  readonly containers: readonly {
    readonly args?: readonly string[];
    readonly command?: readonly string[];
    readonly securityContext: unknown;
    readonly volumeMounts: readonly Mount[];
  }[];
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
  readonly [other: string]: unknown;
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

/** By the package kubernetes-models, which is made from Kubernetes' OpenAPI. Throws what does not fit it. */
function validate(manifest: Manifest): void {
  const models = createRequire(import.meta.url)(`kubernetes-models/${manifest.apiVersion}`);
  new models[manifest.kind](manifest).validate();
}

const manifest = (name: string): Manifest => parse(read('kubernetes', name)) as Manifest;
const manifests = ['job.yaml', 'daemonset.yaml', 'namespace.yaml'];

for (const name of manifests) test(`${name} is as Kubernetes' OpenAPI says`, () => validate(manifest(name)));

/**
 * What the compiler says against a manifest as a value of the type of its kind: the OpenAPI's validation passes fields that do not exist,
 * such as misspelt ones.
 */
function misspelt(manifest: Manifest): string {
  const { apiVersion, kind } = manifest;
  const modules = join(import.meta.dirname, '../../node_modules');
  const source = join(temporaryFolder(), 'manifest.ts');
  const type = JSON.stringify(join(modules, 'kubernetes-models', apiVersion, kind));
  writeFileSync(
    source,
    `import type { I${kind} } from ${type};\nexport const it: I${kind} = ${JSON.stringify(manifest)};\n`,
  );
  const options = [
    '--noEmit',
    '--skipLibCheck',
    '--ignoreConfig',
    '--types',
    '',
    '--module',
    'esnext',
    '--moduleResolution',
    'bundler',
  ];
  return spawnSync(join(modules, '.bin/tsc'), [...options, source], { encoding: 'utf8' }).stdout;
}

for (const name of ['job.yaml', 'daemonset.yaml'])
  test(`${name} has no field that Kubernetes does not have`, () => assert.is(misspelt(manifest(name)), ''));

test('the validation finds a wrong value and a misspelt field, at any depth', () => {
  const changed = (change: object): Manifest => {
    const job = manifest('job.yaml');
    const pod = job.spec.template.spec;
    const containers = [{ ...pod.containers[0], ...change }];
    return { ...job, spec: { ...job.spec, template: { spec: { ...pod, containers } } } } as Manifest;
  };
  assert.throws(() => validate(changed({ image: 1 })), /image/);
  assert.match(misspelt(changed({ readOnlyRootFileSystem: true })), /readOnlyRootFileSystem/);
});

for (const name of ['job.yaml', 'daemonset.yaml']) {
  test(`${name}: reads the host and has no privilege but that`, () => {
    const { containers, volumes, ...pod } = manifest(name).spec.template.spec;
    assert.is(pod.automountServiceAccountToken, false);
    assert.not('hostPID' in pod || 'hostNetwork' in pod || 'hostIPC' in pod);
    const ofHost = volumes.filter(({ hostPath }) => hostPath !== undefined);
    for (const { securityContext, volumeMounts } of containers) {
      assert.equal(securityContext, {
        runAsUser: 0,
        privileged: false,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'], add: ['DAC_READ_SEARCH'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { name: volume, hostPath } of ofHost) {
        const isReadOnly = volumeMounts.find((mount) => mount.name === volume)?.readOnly ?? false;
        assert.is(isReadOnly, volume !== 'textfile', hostPath?.path);
      }
    }
  });
}

test('the container images that are named are of the version that is built', () => {
  const { version } = JSON.parse(readFileSync(join(folder, '../../package.json'), 'utf8'));
  const files = ['Containerfile', 'README.md', 'kubernetes/job.yaml', 'kubernetes/daemonset.yaml'];
  for (const file of files) {
    const named = [...read(file).matchAll(/kata-check:([0-9][0-9.]*[0-9])/g)].map(([, found]) => found);
    assert.ok(named.length > 0, file);
    assert.equal([...new Set(named)], [version], file);
  }
});

test('kustomization.yaml carries all that is there but the Job', () => {
  const { resources, configMapGenerator } = parse(read('kubernetes', 'kustomization.yaml')) as {
    resources: string[];
    configMapGenerator: { files: string[] }[];
  };
  const carried = [...resources, ...configMapGenerator.flatMap(({ files }) => files), 'job.yaml', 'kustomization.yaml'];
  assert.equal(carried.sort(), readdirSync(kubernetes).sort());
});

test(
  'kubectl renders it: what comes out is valid, and all of it in its namespace',
  () => {
    const rendered = run('kubectl', 'kustomize', kubernetes)
      .split('\n---\n')
      .map((text) => parse(text) as Manifest & { metadata: { namespace?: string } });
    for (const one of rendered) validate(one);
    assert.equal(rendered.map(({ kind, metadata }) => [kind, metadata.namespace]).sort(), [
      ['ConfigMap', 'kata-check'],
      ['DaemonSet', 'kata-check'],
      ['Namespace', undefined],
    ]);
  },
  { needs: ['kubectl'] },
);

test('job.yaml does not try again what would end in the same way', () => {
  const { spec } = manifest('job.yaml') as unknown as {
    spec: { podFailurePolicy: { rules: { onExitCodes: { values: number[] } }[] } };
  };
  assert.equal(spec.podFailurePolicy.rules[0]?.onExitCodes.values, [2, 10, 11]);
});

test("README's commands make a Job for each node, and wait for all of them", () => {
  const readme = readFileSync(join(folder, '../../README.md'), 'utf8');
  const block = /^ {4}kubectl delete job[\s\S]*?(?=\n\n)/m.exec(readme)?.[0].replace(/&& helm upgrade .*/, '') ?? '';
  const work = temporaryFolder();
  // It answers with two nodes, and keeps what it is asked.
  const kubectl = [
    '#!/bin/sh',
    `echo "$*" >>'${work}/calls'`,
    'case "$1" in get) printf "one two" ;;',
    `create) cat >'${work}/job-'$(grep -c ^create '${work}/calls') ;; esac`,
  ];
  writeFileSync(join(work, 'kubectl'), `${kubectl.join('\n')}\n`);
  chmodSync(join(work, 'kubectl'), 0o755);
  run('sh', '-ec', `PATH='${work}':$PATH; cd '${join(folder, '../..')}'; ${block}`);
  const calls = readFileSync(join(work, 'calls'), 'utf8').trim().split('\n');
  assert.equal(
    calls.map((call) => call.split(' ')[0]),
    ['delete', 'get', 'create', 'create', 'wait'],
  );
  for (const [index, node] of ['one', 'two'].entries()) {
    const job = parse(readFileSync(join(work, `job-${index + 1}`), 'utf8')) as Manifest;
    validate(job);
    assert.is(job.spec.template.spec.nodeName, node);
  }
});

/** A program in place of kata-check that judges the sample node: these engines give no arguments of ours. */
function judging(form: (typeof forms)[number], ...args: string[]): string {
  const path = join(temporaryFolder(), 'kata-check');
  const words = [...form.argv, '"$@"', ...args].map((word) => (word === '"$@"' ? word : `'${word}'`));
  writeFileSync(path, `#!/bin/sh\nexec ${words.join(' ')}\n`);
  chmodSync(path, 0o755);
  return path;
}

function called(program: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) {
  const { status, stdout } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', KATA_CHECK_ROOT: sampleNode, ...env },
  });
  return { status, stdout };
}

/** What a name of 200 bytes, not all of them ASCII, comes to. */
const longName = `/${'ü'.repeat(100)}.img`;
const answers: readonly [rule: string, args: readonly string[], status: number, message: RegExp][] = [
  ['what fits is no problem', ['--to', '1.0.0'], 0, /^the guest image fits the runtime$/],
  ['a mismatch is a problem', ['--to', '1.1.0'], 1, /^\[KC103\] /],
  ['a warning is no problem of the node', ['--to', '1.1.0', '--mode', 'warn'], 0, /^\[KC103\] /],
  ['what nobody can tell is not known', ['--image', longName, '--strict'], 2, /^\[KC203\] /],
  ['a failure is not known', ['--frobnicate'], 2, /^unknown option --frobnicate$/],
];

for (const form of forms) {
  for (const [rule, args, status, message] of answers) {
    test(
      `${form.name}: Node Problem Detector: ${rule}`,
      () => {
        const answer = called(join(kubernetes, 'node-problem-detector.sh'), { KATA_CHECK: judging(form, ...args) });
        assert.is(answer.status, status);
        assert.match(answer.stdout, message);
        assert.ok(Buffer.byteLength(answer.stdout) <= 80, answer.stdout);
      },
      form,
    );
  }

  test(
    `${form.name}: Facter: the fact is the report, and null without one`,
    () => {
      const fact = called(join(folder, 'monitoring/facter'), { KATA_CHECK: judging(form, '--to', '1.1.0') });
      assert.is(fact.status, 0);
      assert.is(JSON.parse(fact.stdout).kata_check.verdict, 'block');
      const none = called(join(folder, 'monitoring/facter'), { KATA_CHECK: '/nowhere/kata-check' });
      assert.equal(none, { status: 0, stdout: '{"kata_check": null}\n' });
    },
    form,
  );

  test(
    `${form.name}: Nagios: the command line of its definition`,
    () => {
      const line = /^ *command_line +(.+)$/m.exec(read('monitoring/nagios.cfg'))?.[1] ?? '';
      const [program, ...args] = line.replace('$ARG1$', sampleNode).split(' ');
      assert.is(program, '/usr/bin/kata-check');
      assert.match(called(judging(form), {}, args).stdout, /^KATA OK - /);
      assert.is(called(judging(form, '--to', '1.1.0'), {}, args).status, 2);
    },
    form,
  );
}

test('Node Problem Detector keeps as many bytes as the script prints, and waits long enough', () => {
  const { pluginConfig, conditions, rules } = JSON.parse(read('kubernetes/node-problem-detector.json'));
  assert.is(pluginConfig.max_output_length, 80);
  assert.equal(
    rules.map(({ condition }: { condition: string }) => condition),
    conditions.map(({ type }: { type: string }) => type),
  );
});

test('Icinga gives options that kata-check has', () => {
  const options = read('monitoring/icinga2.conf').match(/--[a-z]+/g) ?? [];
  assert.ok(options.length >= 4);
  const { stdout } = spawnSync(process.execPath, [...(forms[0]?.argv.slice(1) ?? []), '--help'], { encoding: 'utf8' });
  for (const option of options) assert.ok(stdout.includes(option), option);
});

const program = join(import.meta.dirname, '../../dist/kata-check-static');

test(
  'the container holds the program and its notices, and judges what is mounted',
  () => {
    const work = temporaryFolder();
    const buildah = (...args: string[]): void => {
      const storage = ['--root', join(work, 'root'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];
      run('buildah', ...storage, ...args);
    };
    const top = join(folder, '../..');
    buildah('build', '-q', '-f', join(folder, 'Containerfile'), '-t', 'kata-check:test', top);
    buildah('push', '-q', 'kata-check:test', `oci-archive:${join(work, 'image.tar')}`);
    const unpacked = join(work, 'unpacked');
    mkdirSync(unpacked);
    run('tar', '-C', unpacked, '-xf', join(work, 'image.tar'));
    const blob = (digest: string): string => join(unpacked, 'blobs', digest.replace(':', '/'));
    const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
    const { layers, config } = json(blob(json(join(unpacked, 'index.json')).manifests[0].digest));
    const root = join(work, 'container');
    mkdirSync(root);
    for (const { digest } of layers) run('tar', '-C', root, '-xf', blob(digest));
    const files = run('find', root, '-type', 'f', '-printf', '%P\n').trim().split('\n').sort();
    assert.equal(files, ['usr/bin/kata-check', 'usr/share/doc/kata-check/kata-check-static.licenses.txt']);
    run('cp', '-R', sampleNode, join(root, 'host'));
    const entry = json(blob(config.digest)).config.Entrypoint as string[];
    const there = spawnSync('chroot', [root, ...entry, '--root', '/host', '--to', '1.1.0'], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin' },
    });
    assert.is(there.status, 10, there.stderr);
    assert.match(there.stdout, /KC103/);
  },
  { needs: ['root', 'buildah', program] },
);
