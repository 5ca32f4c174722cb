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

/** OpenSSH's server and its client programs, with the libraries that a small system lacks. */
export const opensshPackages: PackageSet = {
  version: "9.2",
  // libcbor's name changes with each version, and only the client's use of security keys needs it.
  names: ["openssh-server", "openssh-client", "libwrap0", "libedit2", "libbsd0", "libmd0"],
  binary: "usr/sbin/sshd",
  architecture: "amd64",
  files: [
    {
      path: "pool/main/o/openssh/openssh-server_9.2p1-2+deb12u10_amd64.deb",
      sha256: "933cd92a2329f9bf26d22660a834ae18ebdbe8df9c6127e4d9fcb098dac9cf72",
    },
    {
      path: "pool/main/o/openssh/openssh-client_9.2p1-2+deb12u10_amd64.deb",
      sha256: "42c250b8b9110382488c53c066a960bc564ddac2cb9e449f47b6cdbb5fc1cb60",
    },
    {
      path: "pool/main/t/tcp-wrappers/libwrap0_7.6.q-32_amd64.deb",
      sha256: "cbce2669a3ba4d74cfdc52b14f38014893e23d85a33d109a3422c342eefc55f8",
    },
    {
      path: "pool/main/libe/libedit/libedit2_3.1-20221030-2_amd64.deb",
      sha256: "1cf14abf2716d3279db12d0657a5737cf70074a1e71d3bdf73206625e3c89ce6",
    },
    {
      path: "pool/main/libb/libbsd/libbsd0_0.11.7-2_amd64.deb",
      sha256: "bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b",
    },
    {
      path: "pool/main/libm/libmd/libmd0_1.0.4-2_amd64.deb",
      sha256: "03539fd30c509e27101d13a56e52eda9062bdf1aefe337c07ab56def25a13eab",
    },
    {
      path: "pool/main/libf/libfido2/libfido2-1_1.12.0-2+b1_amd64.deb",
      sha256: "dba89cd91adcb886ce1972122e55768aa3652cb562a6b26c5983c2d482a30a1e",
    },
    {
      path: "pool/main/libc/libcbor/libcbor0.8_0.8.0-2+b1_amd64.deb",
      sha256: "8cbd111e1ad1c1357afb18f916c88c7ebb8cc860b8fac04ccc66a9eefe5a53af",
    },
  ],
};
