/**
 * Every limit of the readers, with its reason. Nothing read from an image is allocated or looped over by a number of
 * the image's own without one of these beside it.
 */

/** Bytes read from one image. An agent binary of 1.x to 4.1 has 10 to 60 MB, and a fragmented erofs reads some twice. */
export const imageBytes = 512 * 1024 * 1024;
/** One read, in bytes. Larger files are read in pieces. */
export const readBytes = 16 * 1024 * 1024;
/** Symbolic links followed in one path: what the kernel allows (path_resolution(7)). */
export const symlinks = 40;
/** Length of a path and of a symbolic link's target, in bytes: PATH_MAX. */
export const pathBytes = 4096;
/** Bytes of one directory. */
export const directoryBytes = 64 * 1024 * 1024;
/**
 * Steps through one image's structures in all, whatever they lead through: records of directories, extents, indexes, symbolic links. A step takes
 * up to a microsecond in the native program, so that they end within two seconds. A real image takes some ten thousand.
 */
export const imageSteps = 1_500_000;
/** Steps that one read counts as. */
export const readSteps = 16;
/** Steps that one index of a compressed file in erofs counts as. */
export const clusterSteps = 4;
/** Bytes of a directory, or of padding, to a step. */
export const stepBytes = 8;
/** Extents of one file, which are kept. In an image that was just made an agent has some dozens; these take 8 MB of memory. */
export const fileExtents = 32_768;
/** Bytes of the summary file osbuilder.yaml; real ones list packages and have 1 to 20 kB. */
export const summaryBytes = 256 * 1024;
/** Bytes of an agent binary that are searched for its version. */
export const agentBytes = 256 * 1024 * 1024;
/** Different versions with a commit in one agent binary. A real one has one; a file of nothing else has millions. */
export const agentVersions = 100;
/** Places in one agent binary that look like the commit of a version. A real one has some dozens. */
export const agentCommits = 50_000;
/** Bytes that come out of one decompressor. The largest initrd known, of Kata 2.3.0, has 113 MB and unpacks to some 400 MB. */
export const decompressedBytes = 2 * 1024 * 1024 * 1024;
/** To how many times its size an initrd may unpack. Real ones have a third to a fifth of the size of what they hold. */
export const decompressedRatio = 32;
/** Bytes to which even a small initrd may unpack. */
export const decompressedFloor = 256 * 1024 * 1024;
/** Headers in all archives of one initrd, and directories only named in a path. Real ones have 5,000 to 30,000 in all; so many take 20 to 30 MB of memory. It bounds the reads of headers, too. */
export const initrdEntries = 95_000;
/** Bytes of all paths and symbolic links of one initrd, some of which are kept. 30,000 entries have about 2 MB. */
export const initrdNameBytes = 6 * 1024 * 1024;
/** Devices from which an archive has hard links. It is made of one directory on one or two. */
export const initrdDevices = 1000;
/** Bytes of contents kept from a compressed initrd while it passes: a few files named like the summary. */
export const initrdKeptBytes = 4 * 1024 * 1024;
/** Compressed segments of one initrd, each of which costs a process. dracut and initramfs-tools make one. */
export const initrdSegments = 16;
/** Zero bytes in a row between the archives of an initrd. Real padding is up to a block, or a disk's alignment. */
export const initrdPadding = 8 * 1024 * 1024;
/** Bytes of one package's payload, unpacked. Kata's own static tarball of 3.x, with all its images, unpacks to some 3 GB. */
export const payloadBytes = 16 * 1024 * 1024 * 1024;
/** Members of one package that are kept in mind for their links. Packages of Kata have some hundred. */
export const packageMembers = 25_000;
/** Bytes of their names and links. */
export const packageNameBytes = 8 * 1024 * 1024;
/** Texts that are kept of one package: its configurations, and the scripts that may make an image. */
export const packageTextBytes = 16 * 1024 * 1024;
/** Bytes of guest images in temporary files at one time, out of all packages of a run. One image has 100 to 512 MB, most of it holes. */
export const packageImageBytes = 2 * 1024 * 1024 * 1024;
/** Bytes of archives in an archive: the layer of kata-deploy's image with its tarballs, and one of those, in temporary files. */
export const packageNestedBytes = 4 * 1024 * 1024 * 1024;
/** Program headers of an ELF program. Real ones have 5 to 15. */
export const programHeaders = 64;
/** Sections of an ELF program. Real ones have 15 to 50. */
export const programSections = 512;
/** Bytes of the names of those sections. */
export const programSectionNames = 65536;
/** Bytes of the relocations of a program. The largest shim has some 10 MB. */
export const programRelocations = 64 * 1024 * 1024;
/** String headers of a version's length in a program's data. The largest shim has some 20,000. */
export const programStrings = 262_144;
/** Bytes of a package's control archive, packed or unpacked. The largest hold lists of checksums: 100,000 files have some 10 MB. */
export const controlBytes = 16 * 1024 * 1024;
/** Members of it. Real ones have up to twenty. */
export const controlMembers = 1000;
