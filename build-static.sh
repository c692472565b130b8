#!/bin/sh
# build-static.sh - one stripped `tws` that needs nothing of the machine it runs on: static, position
# independent, on musl, with OpenSSL, libuv, libyaml and libwebsockets inside.
#
#   sh build-static.sh        makes dist/tws-static-VERSION-ARCH
#
# The libraries are built from the archives listed below and from nothing else: each has its version
# and its sha256. They come from their authors' sites, or, where those cannot be reached, from Debian's
# source packages, on the mirror this machine's apt already uses. The archives of OpenSSL, libyaml and
# libwebsockets are the same files on both ways.
#
# Settings (environment): SOURCES=upstream|debian|any (any: the first that works), JOBS.
# build-static/ holds archives, sources and libraries, so that a second run only builds tws itself.
set -eu

root=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/support/packages.sh
. "$root/tests/support/packages.sh"
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
work=$root/build-static
archives=$work/archives
cc=$work/musl-gcc

# library  version  sha256  where: a URL, or Debian's package, its version, and which of its files
upstream_sources() {
  cat <<'END'
openssl 3.0.22 67ebca7e50d17383028045486653492195b83db95f8558709701bb47b5c1ef81 https://github.com/openssl/openssl/releases/download/openssl-3.0.22/openssl-3.0.22.tar.gz
libuv 1.50.0 b1ec56444ee3f1e10c8bd3eed16ba47016ed0b94fe42137435aaf2e0bd574579 https://github.com/libuv/libuv/archive/refs/tags/v1.50.0.tar.gz
libyaml 0.2.5 fa240dbf262be053f3898006d502d514936c818e422afdcf33921c63bed9bf2e https://github.com/yaml/libyaml/archive/0.2.5.tar.gz
libwebsockets 4.1.6 402e9a8df553c9cd2aff5d7a9758e9e5285bf3070c82539082864633db3deb83 https://github.com/warmcat/libwebsockets/archive/v4.1.6.tar.gz
END
}

# libuv's second archive has Debian's patches, among them the one for CVE-2024-24806; those of the
# others change nothing in a library.
debian_sources() {
  cat <<'END'
openssl 3.0.22 67ebca7e50d17383028045486653492195b83db95f8558709701bb47b5c1ef81 openssl=3.0.22-1~deb12u2 tar
libuv 1.44.2 d79b4b06ef04be85fb890bf39d55942cc64c2e15fd14eaa32dae5dce94485484 libuv1=1.44.2-1+deb12u1 tar
libuv 1.44.2 14fc605e7d1520137416fd8c097b58a191be9b07bdbb406f7b39c7894b7d66a5 libuv1=1.44.2-1+deb12u1 diff
libyaml 0.2.5 fa240dbf262be053f3898006d502d514936c818e422afdcf33921c63bed9bf2e libyaml=0.2.5-1 tar
libwebsockets 4.1.6 402e9a8df553c9cd2aff5d7a9758e9e5285bf3070c82539082864633db3deb83 libwebsockets=4.1.6-3 tar
END
}

say() {
  printf '== %s\n' "$*"
}

die() {
  echo "build-static: $*" >&2
  exit 1
}

# quietly NAME COMMAND...: its output goes to a log, of which the end is shown if it fails.
quietly() {
  log=$work/log/$1
  shift
  "$@" >"$log" 2>&1 && return 0
  tail -n 30 "$log" >&2
  die "'$1' failed; all it said is in $log"
}

# ---- tools ----

need_tools() {
  lacking=
  for tool in musl-gcc:musl-tools cmake:cmake pkg-config:pkg-config make:make perl:perl patch:patch xz:xz-utils; do
    command -v "${tool%%:*}" >/dev/null 2>&1 || lacking="$lacking ${tool##*:}"
  done
  [ -d /usr/include/linux ] || lacking="$lacking linux-libc-dev"
  # shellcheck disable=SC2086 # one word for each package
  need_packages $lacking
}

# musl-gcc knows static and position independent, but not both at once; and musl comes without the
# kernel's headers, which must not bring those of the other libc along.
make_compiler() {
  specs=$(sed -n 's/.*-specs "\(.*\)".*/\1/p' "$(command -v musl-gcc)")
  [ -r "$specs" ] || die "musl-gcc does not name its specs file"
  sed -e 's,/Scrt1\.o,/rcrt1.o,' \
    -e '/^-dynamic-linker/s,.*,-static -pie --no-dynamic-linker -z text -nostdlib,' "$specs" >"$work/specs"
  mkdir -p "$work/linux"
  ln -sfn /usr/include/linux "$work/linux/linux"
  ln -sfn /usr/include/asm-generic "$work/linux/asm-generic"
  asm=/usr/include/$(gcc -print-multiarch)/asm
  [ -d "$asm" ] || asm=/usr/include/asm
  ln -sfn "$asm" "$work/linux/asm"
  cat >"$cc" <<END
#!/bin/sh
exec gcc -fPIE "\$@" -specs "$work/specs" -idirafter "$work/linux"
END
  chmod +x "$cc"
}

# ---- sources ----

matches() {
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]
}

fetch_upstream() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --connect-timeout 10 -o "$1" "$2"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -T 10 -t 2 -O "$1" "$2"
  else
    echo "build-static: neither curl nor wget to download with" >&2
    return 1
  fi
}

# The machine's own sources, asked for source packages, in a state directory that is only ours.
our_apt() {
  command=$1
  shift
  "$command" -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts="$work/apt/sources.list.d" \
    -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User="" -q "$@"
}

prepare_apt() {
  [ -z "${apt_is_ready:-}" ] || return 0
  command -v apt-get >/dev/null 2>&1 || return 1
  rm -rf "$work/apt"
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/apt/sources.list.d"
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$list" ] || continue
    sed -n 's/^deb[[:space:]]/deb-src /p' "$list" >"$work/apt/${list#/etc/apt/}"
  done
  for list in /etc/apt/sources.list.d/*.sources; do
    [ -r "$list" ] || continue
    sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/apt/${list#/etc/apt/}"
  done
  touch "$work/apt/sources.list"
  # One source that cannot be reached is no matter if another has what we want.
  our_apt apt-get update >"$work/log/apt" 2>&1 || true
  apt_is_ready=yes
}

fetch_debian() {
  prepare_apt || return 1
  rm -rf "$work/apt/got"
  mkdir "$work/apt/got"
  if ! (cd "$work/apt/got" && our_apt apt-get source --download-only "--$3-only" "$2") >>"$work/log/apt" 2>&1; then
    echo "build-static: apt has no source of $2; see $work/log/apt. It has:" \
      "$(our_apt apt-cache showsrc "${2%%=*}" 2>/dev/null | sed -n 's/^Version: //p' | sort -u | tr '\n' ' ')" >&2
    return 1
  fi
  for got in "$work"/apt/got/*.tar.*; do
    case $got in *.asc) ;; *) mv "$got" "$1" ;; esac
  done
}

# fetch_all ROUTE: every archive of its list, with the right checksum, or failure.
fetch_all() {
  "$1_sources" | while read -r name version sum where which; do
    archive=$archives/$sum
    matches "$archive" "$sum" && continue
    say "fetching $name $version ($1)"
    # shellcheck disable=SC2086 # nothing if there is no fifth word
    "fetch_$1" "$archive.new" "$where" $which </dev/null || exit 1
    matches "$archive.new" "$sum" || die "$name $version from $where has another sha256 than $sum"
    mv "$archive.new" "$archive"
  done
}

choose_route() {
  case ${SOURCES:-any} in
    upstream | debian) route=$SOURCES && fetch_all "$route" ;;
    any)
      route=upstream
      fetch_all upstream && return 0
      say "not from the authors' sites, then: Debian's source packages"
      route=debian
      fetch_all debian
      ;;
    *) die "SOURCES is upstream, debian or any, not $SOURCES" ;;
  esac
}

# unpack NAME: a clean tree of it, patched where the route has patches.
unpack() {
  tree=$work/src/$1
  rm -rf "$tree" "$tree-debian"
  mkdir -p "$tree"
  "${route}_sources" | while read -r name version sum where which; do
    [ "$name" = "$1" ] || continue
    if [ "$which" != diff ]; then
      tar -xf "$archives/$sum" -C "$tree" --strip-components=1
      continue
    fi
    mkdir "$tree-debian"
    tar -xf "$archives/$sum" -C "$tree-debian"
    sed '/^#/d' "$tree-debian/debian/patches/series" | while read -r patch; do
      patch -d "$tree" -p1 -s <"$tree-debian/debian/patches/$patch"
    done
  done
}

# ---- libraries: each function runs under quietly, where a failure does not end the script by itself ----

# The toolchain, for every cmake below, that of tws included: our compiler, and only our libraries.
with_cmake() {
  cmake "$@" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_COMPILER_AR="$(command -v gcc-ar)" \
    -DCMAKE_C_COMPILER_RANLIB="$(command -v gcc-ranlib)" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_FIND_ROOT_PATH="$prefix" \
    -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
    -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY
}

# What tws does not use is left out: each of these is code that cannot have a hole. No engine, no
# provider and no configuration is loaded from the machine, whose OpenSSL may be another; the
# certificate store is found by tws itself.
build_openssl() {
  cd "$tree" && CC=$cc ./Configure --prefix="$prefix" --libdir=lib --openssldir=/nonexistent \
    no-shared no-tests no-engine no-legacy no-async no-dso no-autoload-config no-afalgeng no-comp \
    no-ssl3 no-tls1 no-tls1_1 no-dtls no-srp no-srtp no-psk no-ct no-ts no-cms no-cmp no-gost \
    no-idea no-md2 no-md4 no-mdc2 no-rc2 no-rc4 no-rc5 no-bf no-cast no-seed no-camellia no-aria \
    no-sm2 no-sm3 no-sm4 no-whirlpool no-rmd160 -fPIC &&
    make -j "$jobs" build_libs && make install_dev
}

# describe NAME LIBS [REQUIRES]: for pkg-config, since what the libraries say of themselves is of shared ones.
describe() {
  cat >"$prefix/lib/pkgconfig/$1.pc" <<END
Name: $1
Description: $1, static
Version: $version
Requires: ${3:-}
Libs: -L$prefix/lib $2
Cflags: -I$prefix/include
END
}

# Its cmake would install a shared library too, which our compiler cannot make.
build_libuv() {
  with_cmake -S "$tree" -B "$tree/build" -DBUILD_TESTING=OFF -DLIBUV_BUILD_TESTS=OFF &&
    cmake --build "$tree/build" --target uv_a -j "$jobs" &&
    cp "$tree"/build/libuv*.a "$prefix/lib/libuv.a" && cp -R "$tree/include/." "$prefix/include/" &&
    describe libuv -luv
}

build_libyaml() {
  with_cmake -S "$tree" -B "$tree/build" -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF &&
    cmake --build "$tree/build" -j "$jobs" && cmake --install "$tree/build" &&
    describe yaml-0.1 -lyaml
}

# It wants /dev/urandom open, and a chroot may have no /dev: what it opens instead is never read.
ask_kernel_for_random() {
  sed -i -e '1i #include <sys/random.h>' \
    -e 's/(size_t)read(context->fd_random, (char \*)buf, len)/(size_t)getrandom(buf, len, 0)/' "$tree/lib/plat/unix/unix-misc.c" &&
    grep -q 'getrandom(buf' "$tree/lib/plat/unix/unix-misc.c"
}

# As Debian has it, but with libuv in the library and not in a plugin.
build_libwebsockets() {
  ask_kernel_for_random && with_cmake -S "$tree" -B "$tree/build" -DDISABLE_WERROR=ON -DCMAKE_C_FLAGS='-DSYSTEM_RANDOM_FILEPATH=\"/\"' \
    -DLWS_WITH_SHARED=OFF -DLWS_WITH_STATIC=ON -DLWS_STATIC_PIC=ON -DLWS_WITHOUT_TESTAPPS=ON \
    -DLWS_WITH_MINIMAL_EXAMPLES=OFF -DLWS_IPV6=ON -DLWS_UNIX_SOCK=ON \
    -DLWS_WITH_LIBUV=ON -DLWS_WITH_EVLIB_PLUGINS=OFF \
    -DLWS_LIBUV_INCLUDE_DIRS="$prefix/include" -DLWS_LIBUV_LIBRARIES="$prefix/lib/libuv.a" \
    -DLWS_WITH_SSL=ON -DLWS_OPENSSL_INCLUDE_DIRS="$prefix/include" \
    -DLWS_OPENSSL_LIBRARIES="$prefix/lib/libssl.a;$prefix/lib/libcrypto.a" &&
    cmake --build "$tree/build" -j "$jobs" && cmake --install "$tree/build" &&
    describe libwebsockets -lwebsockets "libuv libssl libcrypto"
}

# Those of this route that are not there in their version yet, and all that come after one.
build_libraries() {
  prefix=$work/$route
  mkdir -p "$prefix/lib/pkgconfig" "$prefix/include"
  rebuild=no
  "${route}_sources" >"$work/list"
  while read -r name version sum where which; do
    [ "$which" != diff ] || continue
    stamp=$prefix/$name-$version
    [ "$rebuild" = yes ] || [ ! -e "$stamp" ] || continue
    rebuild=yes
    say "building $name $version"
    unpack "$name"
    quietly "$name" "build_$name" </dev/null
    touch "$stamp"
    rm -rf "$prefix/tws"
  done <"$work/list"
}

# ---- tws ----

build_tws() {
  say "building tws"
  export PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig" PKG_CONFIG_PATH=
  quietly tws-configure with_cmake --preset release -S "$root" -B "$prefix/tws" -DTWS_TESTS=OFF
  quietly tws-build cmake --build "$prefix/tws" -j "$jobs" --target tws
  version=$("$prefix/tws/tws" --version | sed 's/^tws //; s/ .*//; q')
  result=$root/dist/tws-static-$version-$(uname -m)
  mkdir -p "$root/dist"
  strip -o "$result.new" "$prefix/tws/tws"
  mv "$result.new" "$result"
}

# Nothing of the machine's may have slipped in.
check_result() {
  if LC_ALL=C readelf -lW "$result" | grep -q INTERP || LC_ALL=C readelf -dW "$result" | grep -q NEEDED; then
    die "$result is not static"
  fi
  LC_ALL=C readelf -hW "$result" | grep -q 'Type:.*DYN' || die "$result is not position independent"
}

mkdir -p "$archives" "$work/log" "$work/src"
need_tools
make_compiler
choose_route
build_libraries
build_tws
check_result
say "$(du -k "$result" | cut -f 1) KiB: ${result#"$root"/}"
