import * as assert from 'uvu/assert';
import { placeOf } from '../../src/protocol/place.ts';
import { askedKeys, compiledDefault, fixedValue, stockSettings } from '../../src/protocol/settings.ts';
import { suite } from '../suite.ts';

const test = suite('settings');

const defaults: readonly [rule: string, key: string, language: 'go' | 'rust', release: string, value: unknown][] = [
  ['Go shared by 9p', 'hypervisor.shared_fs', 'go', '2.3.0', 'virtio-9p'],
  ['Go shares by virtio-fs since 2.4', 'hypervisor.shared_fs', 'go', '2.4.0', 'virtio-fs'],
  ['runtime-rs shares nothing unless it is told', 'hypervisor.shared_fs', 'rust', '3.1.0', 'none'],
  [
    'a key that is missing is false, whatever the shipped file says',
    'runtime.disable_guest_seccomp',
    'go',
    '2.0.0',
    false,
  ],
  ['likewise for runtime-rs', 'runtime.use_passfd_io', 'rust', '3.3.0', false],
  ['a key of which nothing is known', 'runtime.new', 'go', '4.1.0', undefined],
];

for (const [rule, key, language, release, value] of defaults) {
  test(rule, () => assert.is(compiledDefault(key, language, placeOf(release)), value));
}

test('every key that is asked for has a default in both languages, but for the name of the hypervisor', () => {
  for (const key of askedKeys) {
    const isNamed = key === 'runtime.hypervisor_name';
    for (const language of ['go', 'rust'] as const) {
      assert.is(compiledDefault(key, language, placeOf('4.1.0')) === undefined, isNamed, key);
    }
  }
});

test('with hypervisors that cannot share files the runtime in Go shares none, whatever is set', () => {
  assert.is(fixedValue('hypervisor.shared_fs', 'go', 'firecracker'), 'none');
  assert.is(fixedValue('hypervisor.shared_fs', 'go', 'qemu'), undefined);
  assert.is(fixedValue('hypervisor.shared_fs', 'rust', 'remote'), undefined);
  assert.is(fixedValue('hypervisor.enable_guest_swap', 'go', 'firecracker'), undefined);
});

const shipped: readonly [rule: string, language: 'go' | 'rust', release: string, key: string, value: unknown][] = [
  ['Go for QEMU: 9p up to 2.0', 'go', '2.0.0', 'hypervisor.qemu.shared_fs', 'virtio-9p'],
  ['Go for QEMU: virtio-fs since 2.1', 'go', '2.1.0', 'hypervisor.qemu.shared_fs', 'virtio-fs'],
  ['Go keeps seccomp out of the guest', 'go', '2.0.0', 'runtime.disable_guest_seccomp', true],
  ['runtime-rs for Dragonball passes file descriptors', 'rust', '3.8.0', 'runtime.use_passfd_io', true],
  ['runtime-rs for QEMU, since 3.30, does not', 'rust', '3.30.0', 'runtime.use_passfd_io', undefined],
];

for (const [rule, language, release, key, value] of shipped) {
  test(rule, () => assert.is(stockSettings(language, release).values.get(key)?.value, value));
}
