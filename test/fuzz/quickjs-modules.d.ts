/** What fuzz.quickjs.ts uses of QuickJS's `std` beside what src/host does. */

declare module 'std' {
  export interface StdFile {
    write(buffer: ArrayBufferLike, position: number, length: number): number;
    puts(text: string): void;
    flush(): void;
    seek(offset: number, whence: number): number;
  }
}
