/**
 * Small programs that carry descriptors of .proto files of the tests' own, as Kata's generators embed them: gogo/protobuf compressed, protoc-gen-go and
 * rust-protobuf as they are.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { temporaryFolder } from './images.ts';

const types = `syntax = "proto3";
package types;
enum IPFamily { v4 = 0; v6 = 1; }
message Interface { string device = 1; repeated string addresses = 2; IPFamily family = 3; map<string, uint64> counters = 4; }
`;

/** agent.proto of a small protocol; `calls` are more methods of its service, `fields` more fields of CreateContainerRequest. */
export function agentProto(calls: readonly string[] = [], fields: readonly string[] = []): string {
  return `syntax = "proto3";
package grpc;
import "types.proto";
service AgentService {
  rpc CreateContainer(CreateContainerRequest) returns (Empty);
  rpc StartContainer(StartContainerRequest) returns (Empty);
  rpc UpdateInterface(UpdateInterfaceRequest) returns (types.Interface);
${calls.map((name) => `  rpc ${name}(${name}Request) returns (Empty);`).join('\n')}
}
message Empty {}
message CreateContainerRequest {
  string container_id = 1;
  Spec OCI = 2;
  message Spec { repeated string args = 1; oneof platform { bool linux = 2; bytes other = 3; } }
${fields.join('\n')}
}
message StartContainerRequest { string container_id = 1; }
message UpdateInterfaceRequest { types.Interface interface = 1; sint64 delta = 2; repeated double weights = 3; }
message Unused { fixed32 a = 1; sfixed64 b = 2; float c = 3; }
${calls.map((name) => `message ${name}Request { string container_id = 1; }`).join('\n')}
`;
}

/** Of AgentService, what each release of Kata has. */
export const lastingCalls = (
  'CreateContainer StartContainer UpdateInterface RemoveContainer ExecProcess SignalProcess WaitProcess UpdateContainer StatsContainer ' +
  'WriteStdin ReadStdout ReadStderr CloseStdin TtyWinResize UpdateRoutes CreateSandbox DestroySandbox OnlineCPUMem'
).split(' ');

export interface ProtoFile {
  readonly path: string;
  readonly source: string;
}

export function protoFilesOf(agent: string, name = 'agent.proto'): ProtoFile[] {
  return [
    { path: 'types.proto', source: types },
    { path: name, source: agent },
  ];
}

/** A descriptor for each of the files, in their order, as protoc makes them. */
export function descriptorsOf(files: readonly ProtoFile[]): Buffer[] {
  const folder = temporaryFolder();
  for (const { path, source } of files) {
    execFileSync('mkdir', ['-p', join(folder, path, '..')]);
    writeFileSync(join(folder, path), source);
  }
  const output = join(folder, 'set');
  execFileSync('protoc', [`-I${folder}`, `--descriptor_set_out=${output}`, ...files.map(({ path }) => path)], {
    cwd: folder,
  });
  // FileDescriptorSet: field 1 for each file, in the order of the arguments.
  const set = readFileSync(output);
  const found: Buffer[] = [];
  for (let at = 0; at < set.length; ) {
    let length = 0;
    let shift = 0;
    at += 1;
    for (let more = true; more; at += 1, shift += 7) {
      const byte = set[at] as number;
      length |= (byte & 127) << shift;
      more = byte >= 128;
    }
    found.push(set.subarray(at, at + length));
    at += length;
  }
  return found;
}

export function compressed(descriptor: Buffer): Buffer {
  return gzipSync(descriptor, { level: 9 });
}

export interface GoProgram {
  readonly version: string;
  readonly descriptors?: readonly Buffer[];
  /** More texts in it. */
  readonly texts?: readonly string[];
  readonly architecture?: string;
  readonly isPositionIndependent?: boolean;
}

/** Builds one, stripped as Kata's own, with its version in a variable that the linker sets. Returns its path. */
export function goProgram({
  version,
  descriptors = [],
  texts = [],
  architecture = 'amd64',
  isPositionIndependent = false,
}: GoProgram): string {
  const folder = temporaryFolder();
  const embedded = descriptors.map((bytes, at) => `var descriptor${at} = []byte{${[...bytes].join(',')}}\n`);
  // Those of the Container Network Interface, as in the releases of that time.
  const cni = version.startsWith('1.') ? ['0.3.1', '0.4.0'] : ['0.3.1', '0.4.0', '1.0.0'];
  const source = `package main

var version = "0.0.0"
var cni = []string{${cni.map((text) => JSON.stringify(text)).join(', ')}}
var texts = []string{${texts.map((text) => JSON.stringify(text)).join(', ')}}
${embedded.join('')}
func main() {
	for _, text := range append(cni, texts...) {
		println(text)
	}
	println(version${descriptors.map((_, at) => `, descriptor${at}[len(version)]`).join('')})
}
`;
  writeFileSync(join(folder, 'main.go'), source);
  const mode = `-buildmode=${isPositionIndependent ? 'pie' : 'exe'}`;
  const flags = `-s -w -X main.version=${version}`;
  execFileSync('/usr/bin/go', ['build', mode, '-ldflags', flags, '-o', 'program', 'main.go'], {
    cwd: folder,
    env: {
      PATH: '/usr/bin:/bin',
      HOME: folder,
      GO111MODULE: 'off',
      CGO_ENABLED: '0',
      GOARCH: architecture,
      GOCACHE: join(process.env.KATA_CHECK_CACHE || join(homedir(), '.cache', 'kata-check'), 'go'),
    },
  });
  return join(folder, 'program');
}

/** An agent in Rust as its three constants and its descriptors stand in one; `notServed`: names of calls. Returns its path. */
export function rustProgram(
  version: string,
  commit: string,
  descriptors: readonly Buffer[],
  notServed: readonly string[] = [],
): string {
  const embedded = descriptors.map((bytes, at) => `static DESCRIPTOR${at}: &[u8] = &[${[...bytes].join(',')}];\n`);
  const source = `// Debian's rustc of bookworm has no std::hint::black_box yet.
fn black_box<T: Copy>(value: T) -> T {
    unsafe { std::ptr::read_volatile(&value) }
}
const AGENT_VERSION: &str = "${version}";
const API_VERSION: &str = "0.0.1";
const VERSION_COMMIT: &str = "${version}-${commit}";
${embedded.join('')}
fn main() {
    for text in black_box([AGENT_VERSION, API_VERSION, VERSION_COMMIT]) { println!("{text}"); }
${descriptors.map((_, at) => `    println!("{}", black_box(DESCRIPTOR${at}).len());`).join('\n')}
${notServed.map((name) => `    println!("{}", black_box("/grpc.AgentService/${name} is not supported"));`).join('\n')}
}
`;
  return builtByRustc(source);
}

/** A runtime in Rust without a descriptor, as all of them are, which formats its constants for --version as runtime-rs does. Returns its path. */
export function rustRuntime(version: string, commit: string): string {
  const source = `const PROJECT_NAME: &str = "Kata Containers";
const CONTAINERD_RUNTIME_NAME: &str = "io.containerd.kata.v2";
const RUNTIME_VERSION: &str = "${version}";
const RUNTIME_GIT_COMMIT: &str = "${commit}";
fn main() {
    let text = format!(
        "{} containerd shim (Rust): id: {}, version: {}, commit: {}",
        PROJECT_NAME, CONTAINERD_RUNTIME_NAME, RUNTIME_VERSION, RUNTIME_GIT_COMMIT,
    );
    println!("{}", text);
}
`;
  return builtByRustc(source);
}

function builtByRustc(source: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'main.rs'), source);
  execFileSync('/usr/bin/rustc', ['-O', '-C', 'strip=symbols', '-o', 'program', 'main.rs'], {
    cwd: folder,
    stdio: 'pipe',
  });
  return join(folder, 'program');
}

/** What was made to be slow, to take room, or to be believed: nothing of it may be. Of the descriptors of two files, bytes of a program. */
export const hostileDescriptors: readonly [rule: string, made: (all: readonly Buffer[]) => Buffer][] = [
  ['two megabytes of heads of gzip', () => Buffer.from('\x1f\x8b\x08\0\0\0\0\0\0\0'.repeat(200_000), 'latin1')],
  [
    'two megabytes of compressed beginnings of a descriptor',
    ([, one = Buffer.alloc(0)]) => repeated(compressed(one.subarray(0, 300)), 2 << 20),
  ],
  ['six megabytes of beginnings', () => Buffer.from('\n\x0bagent.proto\x12\x04grpc'.repeat(300_000))],
  [
    'twenty megabytes of descriptors that break off at their end',
    ([, one = Buffer.alloc(0)]) => repeated(one.subarray(0, one.length - 2), 20 << 20),
  ],
  ['twenty megabytes of whole ones', ([, one = Buffer.alloc(0)]) => repeated(one, 20 << 20)],
  [
    'megabytes of zeros, compressed, behind a good beginning',
    ([, one = Buffer.alloc(0)]) => compressed(Buffer.concat([one.subarray(0, 300), Buffer.alloc(1 << 25)])),
  ],
  [
    'twenty megabytes of texts',
    () => Buffer.from('/grpc.AgentService/A is not supported grpc.ARequest'.repeat(400_000)),
  ],
];

function repeated(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

export interface MadeElf {
  readonly machine?: number;
  readonly isBig?: boolean;
  /** The relocation's number; null: the pointers stand in the data. */
  readonly relocation?: number | null;
  readonly texts: readonly string[];
  readonly section?: string;
  readonly dataName?: string;
}

/** An ELF program of a few hundred bytes: texts in a row, their headers, relocations, and the names of the sections. */
export function elf({
  machine = 62,
  isBig = false,
  relocation = null,
  texts,
  section = '.gopclntab',
  dataName = '.data',
}: MadeElf): Buffer {
  const base = 0x400000;
  const run = Buffer.from(`run on ${texts.join('')}7 on`);
  const runAt = 64 + 56;
  const dataAt = Math.ceil((runAt + run.length) / 8) * 8;
  const relocationsAt = dataAt + texts.length * 16;
  const names = `\0${section}\0${dataName}\0.rela.dyn\0.shstrtab\0`;
  const namesAt = relocationsAt + (relocation === null ? 0 : texts.length * 24);
  const sectionsAt = Math.ceil((namesAt + names.length) / 8) * 8;
  const bytes = Buffer.alloc(sectionsAt + 5 * 64);
  const u16 = (at: number, value: number): unknown =>
    isBig ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at);
  const u32 = (at: number, value: number): unknown =>
    isBig ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at);
  const u64 = (at: number, value: number): unknown =>
    isBig ? bytes.writeBigUInt64BE(BigInt(value), at) : bytes.writeBigUInt64LE(BigInt(value), at);
  bytes.write(`\x7fELF\x02${isBig ? '\x02' : '\x01'}\x01`, 'latin1');
  u16(18, machine);
  u64(32, 64);
  u64(40, sectionsAt);
  for (const [at, value] of [
    [54, 56],
    [56, 1],
    [58, 64],
    [60, 5],
    [62, 4],
  ] as const)
    u16(at, value);
  // One part of the program, all of it: PT_LOAD.
  u32(64, 1);
  u64(72, 0);
  u64(80, base);
  u64(96, namesAt);
  run.copy(bytes, runAt);
  let textAt = base + runAt + 7;
  for (const [index, text] of texts.entries()) {
    const at = dataAt + index * 16;
    u64(at + 8, text.length);
    if (relocation === null) u64(at, textAt);
    else {
      const entry = relocationsAt + index * 24;
      u64(entry, base + at);
      u64(entry + 8, relocation);
      u64(entry + 16, textAt);
    }
    textAt += text.length;
  }
  bytes.write(names, namesAt);
  const sections = [
    [section, 1, runAt, 0],
    [dataName, 1, dataAt, texts.length * 16],
    ['.rela.dyn', 4, relocationsAt, namesAt - relocationsAt],
    ['.shstrtab', 3, namesAt, names.length],
  ] as const;
  for (const [index, [name, type, offset, size]] of sections.entries()) {
    const at = sectionsAt + (index + 1) * 64;
    u32(at, names.indexOf(`\0${name}\0`) + 1);
    u32(at + 4, type);
    u64(at + 16, base + offset);
    u64(at + 24, offset);
    u64(at + 32, size);
  }
  return bytes;
}

/** The constants of runtime-rs in the order in which --version formats them. */
export function rustTexts(version: string, commit: string, name = 'io.containerd.kata.v2'): MadeElf {
  return {
    texts: ['Kata Containers', name, version, commit],
    section: '.text',
    dataName: '.data.rel.ro',
    relocation: 8,
  };
}

/** What reads as a Go program of this version, and cannot be run. */
export function goStandIn(version: string): Buffer {
  return elf({ texts: ['0.4.0', version] });
}
