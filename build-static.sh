#!/bin/sh
# build-static.sh - one self-contained, stripped binary, dist/tws-static, that needs nothing on the
# machine it runs on: musl, OpenSSL, libuv, libyaml and libwebsockets linked in.
#
# The sources are pinned by version and SHA-256. Each is taken from the cache (build-static/sources),
# else from its project's site, else from Debian's source packages (`apt-get source` with a source
# list of its own; the system's is left alone). Needs musl-tools, cmake, perl, make, pkg-config.
set -eu

root=$(cd "$(dirname "$0")" && pwd)
. "$root/tests/support/packages.sh"
work=$root/build-static
sources=$work/sources
prefix=$work/prefix
jobs=${JOBS:-$(nproc)}

# name, version, Debian's file, its SHA-256, Debian's source package, the project's own archive
pins='
openssl 3.0.22 openssl_3.0.22.orig.tar.gz 67ebca7e50d17383028045486653492195b83db95f8558709701bb47b5c1ef81 openssl https://github.com/openssl/openssl/releases/download/openssl-3.0.22/openssl-3.0.22.tar.gz
libuv 1.44.2 libuv1_1.44.2.orig.tar.gz d79b4b06ef04be85fb890bf39d55942cc64c2e15fd14eaa32dae5dce94485484 libuv1 -
libyaml 0.2.5 libyaml_0.2.5.orig.tar.gz fa240dbf262be053f3898006d502d514936c818e422afdcf33921c63bed9bf2e libyaml https://github.com/yaml/libyaml/archive/0.2.5.tar.gz
libwebsockets 4.1.6 libwebsockets_4.1.6.orig.tar.gz 402e9a8df553c9cd2aff5d7a9758e9e5285bf3070c82539082864633db3deb83 libwebsockets https://github.com/warmcat/libwebsockets/archive/v4.1.6.tar.gz
'

say() {
  echo "== $*"
}

matches() {
  [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

# An apt of our own: the same mirrors as the system's, but their source packages.
prepare_apt() {
  [ ! -f "$work/apt/ready" ] || return 0
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/apt/parts"
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >>"$work/apt/parts/sources.list"
  done
  for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$list" ] || { sed 's/^Types:.*/Types: deb-src/' "$list"; echo; } >>"$work/apt/parts/source.sources"
  done
  cat >"$work/apt/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/apt/parts";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
EOF
  APT_CONFIG=$work/apt/apt.conf apt-get update -q
  touch "$work/apt/ready"
}

# fetch NAME VERSION FILE SHA256 DEBIAN URL
fetch() {
  file=$sources/$3
  if matches "$file" "$4"; then
    return 0
  fi
  say "$1 $2"
  if [ "$6" != - ] && command -v curl >/dev/null && curl -fsSL --max-time 300 -o "$file.new" "$6" && matches "$file.new" "$4"; then
    mv "$file.new" "$file"
    return 0
  fi
  rm -f "$file.new"
  prepare_apt
  # Some file of the package may be missing on a mirror; the archive is all we need.
  (cd "$sources" && APT_CONFIG=$work/apt/apt.conf apt-get source -q --download-only "$5") || true
  matches "$file" "$4" && return 0
  echo "build-static: no source of $1 $2 with SHA-256 $4" >&2
  return 1
}

# unpack NAME FILE: into an empty folder $work/NAME, without the archive's own top folder.
unpack() {
  rm -rf "${work:?}/$1"
  mkdir -p "$work/$1"
  tar -xf "$sources/$2" -C "$work/$1" --strip-components=1
}

# built NAME: true when it is there already in this version.
built() {
  [ "$(cat "$prefix/built/$1" 2>/dev/null)" = "$(echo "$pins" | grep "^$1 ")" ]
}

mark() {
  mkdir -p "$prefix/built"
  echo "$pins" | grep "^$1 " >"$prefix/built/$1"
}

# musl has no Linux headers; only those come from the system, never a header of glibc.
prepare_compiler() {
  mkdir -p "$work/linux-headers" "$work/bin"
  ln -sfn /usr/include/linux "$work/linux-headers/linux"
  ln -sfn /usr/include/asm-generic "$work/linux-headers/asm-generic"
  ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" "$work/linux-headers/asm"
  printf '#!/bin/sh\nexec musl-gcc "$@" -idirafter %s\n' "$work/linux-headers" >"$work/bin/cc"
  chmod +x "$work/bin/cc"
}

with_cmake() {
  name=$1
  shift
  cmake -S "$work/$name" -B "$work/$name/build" -DCMAKE_C_COMPILER="$work/bin/cc" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=OFF "$@"
  cmake --build "$work/$name/build" -j "$jobs"
  cmake --install "$work/$name/build"
}

build_openssl() {
  unpack openssl openssl_3.0.22.orig.tar.gz
  (
    cd "$work/openssl"
    # Certificates are where Debian has them; the program looks at the other systems' places itself.
    CC=$work/bin/cc ./Configure "linux-$(uname -m)" --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl no-shared no-tests \
      no-dso no-engine no-legacy no-ssl3 no-comp no-dtls no-srp no-cms no-ts no-ocsp no-async
    make -j "$jobs" build_libs
    make install_dev
  )
}

build_libuv() {
  unpack libuv libuv1_1.44.2.orig.tar.gz
  with_cmake libuv -DLIBUV_BUILD_TESTS=OFF -DLIBUV_BUILD_BENCH=OFF
  # libuv always builds a shared library too.
  rm -f "$prefix"/lib/libuv.so*
  [ -e "$prefix/lib/libuv.a" ] || ln -s libuv_a.a "$prefix/lib/libuv.a"
}

build_libyaml() {
  unpack libyaml libyaml_0.2.5.orig.tar.gz
  with_cmake libyaml -DBUILD_TESTING=OFF
  mkdir -p "$prefix/lib/pkgconfig"
  printf 'Name: yaml\nDescription: YAML\nVersion: 0.2.5\nLibs: -L%s -lyaml\nCflags: -I%s\n' \
    "$prefix/lib" "$prefix/include" >"$prefix/lib/pkgconfig/yaml-0.1.pc"
}

build_libwebsockets() {
  unpack libwebsockets libwebsockets_4.1.6.orig.tar.gz
  with_cmake libwebsockets -DLWS_WITH_SHARED=OFF -DLWS_WITH_STATIC=ON -DLWS_WITH_LIBUV=ON -DLWS_WITH_EVLIB_PLUGINS=OFF \
    -DLWS_WITHOUT_TESTAPPS=ON -DLWS_WITHOUT_EXTENSIONS=ON -DLWS_WITH_HTTP2=OFF -DLWS_IPV6=ON -DLWS_UNIX_SOCK=ON \
    -DLWS_WITH_SSL=ON -DLWS_SSL_CLIENT_USE_OS_CA_CERTS=OFF -DDISABLE_WERROR=ON -DLWS_WITH_MINIMAL_EXAMPLES=OFF \
    -DLWS_OPENSSL_INCLUDE_DIRS="$prefix/include" -DLWS_OPENSSL_LIBRARIES="$prefix/lib/libssl.a;$prefix/lib/libcrypto.a" \
    -DLWS_LIBUV_INCLUDE_DIRS="$prefix/include" -DLWS_LIBUV_LIBRARIES="$prefix/lib/libuv.a" \
    -DLIBUV_INCLUDE_DIRS="$prefix/include" -DLIBUV_LIBRARIES="$prefix/lib/libuv.a"
}

build_tws() {
  PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig PKG_CONFIG_PATH='' cmake -S "$root" -B "$work/tws" \
    -DCMAKE_C_COMPILER="$work/bin/cc" -DCMAKE_BUILD_TYPE=Release -DTWS_TESTS=OFF -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_EXE_LINKER_FLAGS=-static
  cmake --build "$work/tws" -j "$jobs" --target tws
  mkdir -p "$root/dist"
  strip -o "$root/dist/tws-static" "$work/tws/tws"
}

need_packages gcc make cmake pkg-config perl musl-tools linux-libc-dev dpkg-dev file
mkdir -p "$sources" "$prefix"
echo "$pins" | while read -r name version file sum debian url; do
  [ -z "$name" ] || fetch "$name" "$version" "$file" "$sum" "$debian" "$url"
done
prepare_compiler
for name in openssl libuv libyaml libwebsockets; do
  built "$name" && continue
  say "building $name"
  "build_$name" >"$work/$name.log" 2>&1 || { tail -n 40 "$work/$name.log" >&2; exit 1; }
  mark "$name"
done
say "building tws"
build_tws >"$work/tws.log" 2>&1 || { tail -n 40 "$work/tws.log" >&2; exit 1; }
file "$root/dist/tws-static"
ls -l "$root/dist/tws-static"
