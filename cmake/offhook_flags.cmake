# One interface target that every room links: language level, warnings, hardening (docs/architecture.md,
# "Hardening"), sanitizers of the preset.
set(OFFHOOK_BUILD_TESTS ON CACHE STRING "Build the tests: ON, OFF, or NAMED for those alone that are asked for")
option(OFFHOOK_BUILD_BENCH "Build the benchmarks" OFF)
option(OFFHOOK_ONLY_FUZZ "Build the fuzz targets and what they need (clang)" OFF)
set(OFFHOOK_SANITIZE "" CACHE STRING "Value of -fsanitize=, empty for none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(OFFHOOK_CCACHE ccache)
if(OFFHOOK_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${OFFHOOK_CCACHE})
endif()

add_library(offhook_flags INTERFACE)
target_include_directories(offhook_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(offhook_flags INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor -Werror
  -Wno-missing-field-initializers  # members have initializers of their own; {.port = 1} is meant
  -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero)
target_compile_definitions(offhook_flags INTERFACE _GLIBCXX_ASSERTIONS OFFHOOK_VERSION="${PROJECT_VERSION}")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wswitch-enum: an enum switch without default names every value.
  target_compile_options(offhook_flags INTERFACE -Wswitch-enum -fzero-call-used-regs=used-gpr)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(offhook_flags INTERFACE -fcf-protection=full)
  endif()
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang 14 guards this (then experimental) value with a second flag.
  target_compile_options(offhook_flags INTERFACE -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
    -Wno-unused-command-line-argument)
endif()

if(OFFHOOK_SANITIZE)
  target_compile_options(offhook_flags INTERFACE -fsanitize=${OFFHOOK_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(offhook_flags INTERFACE -fsanitize=${OFFHOOK_SANITIZE})
  # The compilers' own macros differ.
  target_compile_definitions(offhook_flags INTERFACE OFFHOOK_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12 sees uninitialised values in fmt once the sanitizers have rewritten it; the other builds keep the warning.
    target_compile_options(offhook_flags INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()
  if(OFFHOOK_SANITIZE MATCHES "thread")
    # The thread sanitizer does not know fences. Asio's order what its own locks order already.
    target_compile_definitions(offhook_flags INTERFACE OFFHOOK_SANITIZE_THREAD BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
else()
  target_compile_definitions(offhook_flags INTERFACE _FORTIFY_SOURCE=3)
endif()
target_link_options(offhook_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
