# tws_flags: what every translation unit is compiled with.
add_library(tws_flags INTERFACE)
target_compile_options(tws_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wcast-qual -Wwrite-strings -Wswitch-enum -Wno-format-zero-length
  -Werror -fno-strict-aliasing -fvisibility=hidden)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(tws_flags INTERFACE -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2)
  target_link_options(tws_flags INTERFACE -pie -Wl,-z,relro,-z,now)
  # Asserts stay on in release: a wrong state must stop the process, not corrupt a stream.
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
  set(CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
endif()
if(TWS_SANITIZE)
  target_compile_options(tws_flags INTERFACE -fsanitize=${TWS_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g)
  target_link_options(tws_flags INTERFACE -fsanitize=${TWS_SANITIZE})
endif()
if(TWS_FUZZ)
  target_compile_options(tws_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(tws_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TWS_COVERAGE)
  target_compile_options(tws_flags INTERFACE --coverage)
  target_link_options(tws_flags INTERFACE --coverage)
endif()
