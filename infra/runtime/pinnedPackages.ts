import type { PinnedFile } from "./aptArchive.ts";

/** Packages that together hold one server, tried on Debian 12; the libraries lie in no other place than the system's own. */
export interface PackageSet {
  readonly version: string;
  readonly names: readonly string[];
  /** Where the program lies once unpacked. */
  readonly binary: string;
  /** Debian's name of the processor that `files` are for. */
  readonly architecture: string;
  readonly files: readonly PinnedFile[];
}

/** nats-server needs only glibc 2.34 or newer. */
export const natsPackages: PackageSet = {
  version: "2.15.1",
  names: ["nats-server"],
  binary: "usr/sbin/nats-server",
  architecture: "amd64",
  files: [
    {
      path: "pool/main/n/nats-server/nats-server_2.15.1-1_amd64.deb",
      sha256: "31ef4ceaa84e8248d449e508472e3770c17c3695cb5cb0ee96e03912724ea884",
    },
  ],
};

/** Redis with the libraries that a small system lacks. */
export const redisPackages: PackageSet = {
  version: "7.0.15",
  names: ["redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"],
  binary: "usr/bin/redis-server",
  architecture: "amd64",
  files: [
    {
      path: "pool/updates/main/r/redis/redis-server_7.0.15-1~deb12u10_amd64.deb",
      sha256: "784e17b51024ff878fd7d709a68346658fa9b21f6de740cb75e474f28790971c",
      security: true,
    },
    {
      path: "pool/updates/main/r/redis/redis-tools_7.0.15-1~deb12u10_amd64.deb",
      sha256: "f791cfcbf3054832bd6e786546acb0d4e046888f8e63bcf567c1c65fbfaf69e2",
      security: true,
    },
    {
      path: "pool/main/g/gcc-12/libatomic1_12.2.0-14+deb12u1_amd64.deb",
      sha256: "fbd4e154a6b444229ea002cc209df099209c0adc09102e5fd21239a3d2b55e2d",
    },
    {
      path: "pool/main/j/jemalloc/libjemalloc2_5.3.0-1_amd64.deb",
      sha256: "a4117c23c5c8acf6c9678a6cb086f000b79476369da7efe8a78a70826956ad3d",
    },
    {
      path: "pool/main/libl/liblzf/liblzf1_3.6-3_amd64.deb",
      sha256: "9854b0866201b63e04f1e446f45f01ef4a6f72c61f2250b75f944f6046cc7e8c",
    },
  ],
};
