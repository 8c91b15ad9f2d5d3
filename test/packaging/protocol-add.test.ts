import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { withAdditions } from '../../src/protocol/additions.ts';
import { builtIn } from '../../src/protocol/reach.ts';
import { temporaryFolder } from '../images.ts';
import { suite } from '../suite.ts';

const test = suite('a new release for the tables of the protocol');
const top = join(import.meta.dirname, '../..');

const proto = (...calls: readonly string[]): string =>
  `syntax = "proto3"; package grpc; service AgentService { ${calls.map((name) => `rpc ${name}(X) returns (X);`).join(' ')} } message X {}`;

/** A repository with two releases of what matters of Kata's sources. */
function repository(): string {
  const folder = temporaryFolder();
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=x', '-c', 'user.email=x@x', ...args], { stdio: 'ignore' });
  const release = (tag: string, files: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    git('add', '-A');
    git('commit', '-q', '-m', tag);
    git('tag', tag);
  };
  git('init', '-q');
  release('4.1.0', {
    'src/libs/protocols/protos/agent.proto': proto('CreateContainer'),
    'src/libs/kata-types/src/device.rs': 'pub const DRIVER_9P_TYPE: &str = "9p";\n',
    'src/libs/kata-types/src/mount.rs': 'pub const KATA_SHORT: &str =\n    "io.kata.short";\n',
    'src/agent/src/storage/block.rs': 'if opt == "fast=yes" {}\n',
    'src/runtime/virtcontainers/kata_agent.go': '_, err := k.sendReq(ctx, &grpc.CreateContainerRequest{\n',
  });
  release('4.2.0', {
    'src/libs/protocols/protos/agent.proto': proto('CreateContainer', 'HibernateVM', 'NobodyCalls'),
    'src/libs/kata-types/src/device.rs': 'pub const DRIVER_NEW_TYPE: &str = "new";\n',
    'src/runtime/virtcontainers/kata_agent.go': 'a\n_, err := k.sendReq(ctx, &grpc.HibernateVMRequest{\n',
    'src/runtime/virtcontainers/kata_agent_test.go': 'x := &grpc.NobodyCallsRequest{}\n',
    'src/runtime-rs/crates/x.rs':
      '\n\nself.agent.hibernate_vm(req).await?;\nself.agent.create_container(req);\nuse KATA_SHORT;\n',
    'src/runtime-rs/crates/y.rs': 'const FAST: &str = "fast";\n',
    'src/agent/src/storage/block.rs':
      'if opt == "fast=yes" {}\nif opts.contains(&"new=yes".into()) {}\ninfo!("x"; "source" => a);\nmod tests {\n  assert!(a == "test");\n}\n',
    'src/agent/src/config.rs': 'const NEW_OPTION: &str = "agent.new";\n',
  });
  return folder;
}

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', join(top, 'packaging/protocol-add.mjs'), ...args], {
    cwd: top,
    encoding: 'utf8',
  });

test(
  'what came and went, who calls it, and rows that the program takes',
  () => {
    const { status, stdout, stderr } = run(repository(), '4.2.0');
    assert.is(status, 0, stderr);
    assert.match(
      stderr,
      /^call HibernateVM came; called in go: src\/runtime\/virtcontainers\/kata_agent\.go:2; rust: src\/runtime-rs\/crates\/x\.rs:3$/m,
    );
    assert.match(stderr, /^call NobodyCalls came; called in go: nobody; rust: nobody$/m);
    for (const line of [
      'call CreateContainer is made by rust now: src/runtime-rs/crates/x.rs:4',
      'driver "new" came (src/libs/kata-types/src/device.rs:1)',
      'driver "9p" went (src/libs/kata-types/src/device.rs:1 of 4.1.0)',
      'parameter "agent.new" came (src/agent/src/config.rs:1)',
      'option "new=yes" came (src/agent/src/storage/block.rs:2)',
      'option "io.kata.short" stands in rust now: src/runtime-rs/crates/x.rs:5',
      'option "fast=yes" stands in rust now: src/runtime-rs/crates/y.rs:1',
    ])
      assert.ok(stderr.includes(line), `${line}\nis not in\n${stderr}`);
    for (const word of ['"source"', '"test"', 'by go now']) assert.not.ok(stderr.includes(word), word);
    const known = withAdditions(builtIn, '4.2.json', stdout);
    assert.is(known.lastMinors.get(4), 2);
    const row = known.rows.find(({ id }) => id === 'HibernateVM');
    assert.equal([row?.go, row?.rust, row?.lacks], ['4.2.0..', '4.2.0..', '<4.2.0']);
    assert.not.ok(known.rows.some(({ id }) => id === 'NobodyCalls'));
  },
  { needs: ['git'] },
);

test(
  'without a tag, or with one that is not there, it says so',
  () => {
    assert.is(run().status, 2);
    const { status, stderr } = run(top, '99.0.0');
    assert.equal([status, stderr], [1, `${top} has no tag 99.0.0\n`]);
  },
  { needs: ['git'] },
);
