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
/** Entries looked at in one directory. The largest directory of a guest image has some thousands. */
export const directoryEntries = 1_000_000;
/** Bytes of one directory. */
export const directoryBytes = 64 * 1024 * 1024;
/** Steps of any other walk through an image's structures (extents, indexes, groups) for one file. */
export const walkSteps = 1_000_000;
/** Bytes of the summary file osbuilder.yaml; real ones list packages and have 1 to 20 kB. */
export const summaryBytes = 1024 * 1024;
/** Bytes of an agent binary that are searched for its version. */
export const agentBytes = 256 * 1024 * 1024;
