/**
 * Programs of distributions that build the guest image on the node, out of the agent of a package. No package brings such an image, so
 * that a mismatch is mended by building it again.
 */

import type { Host } from '../host/host.ts';

export interface Builder {
  /** The package whose agent it builds into the image. */
  readonly package: string;
  /** In this order, as root; none where only its agent tells that the package is there to build images. */
  readonly commands: readonly string[];
}

const azureFolder = '/opt/kata-containers/uvm/tools/osbuilder/node-builder/azure-linux';

/** `images`: where it puts them. */
const builders: readonly (Builder & { readonly program: string; readonly images: RegExp })[] = [
  // Fedora, CentOS, RHEL: kata-containers.spec of Fedora 3.21.0-1.1, whose %post runs it without arguments.
  {
    program: '/usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh',
    images: /^\/var\/cache\/kata-containers\//,
    package: 'kata-containers',
    commands: ['/usr/libexec/kata-containers/osbuilder/kata-osbuilder.sh'],
  },
  // Azure Linux: README.md beside the program in microsoft/kata-containers 3.19.1.kata2, "Variant I".
  {
    program: `${azureFolder}/uvm_build.sh`,
    images: /^\/usr\/share\/kata-containers\//,
    package: 'kata-containers-tools',
    commands: [`make -C ${azureFolder} uvm`, `make -C ${azureFolder} deploy-uvm`],
  },
];

/** The one that built the image of this path, when it is there to do it again. `image` is owned by no package. */
export function builderOf(host: Host, image: string): Builder | undefined {
  const builder = builders.find(({ program, images }) => images.test(image) && host.status(program) !== undefined);
  return builder === undefined ? undefined : { package: builder.package, commands: builder.commands };
}
