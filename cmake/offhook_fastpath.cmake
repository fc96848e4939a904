# The kernel program of bpf/, compiled by clang and carried inside the library io_fastpath.
find_program(OFFHOOK_BPF_CLANG NAMES clang REQUIRED)
find_path(BPF_INCLUDE bpf/libbpf.h REQUIRED)
find_library(BPF_LIBRARY bpf REQUIRED)

file(GLOB bpf_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h)
set(bpf_source ${CMAKE_SOURCE_DIR}/bpf/route.bpf.c)
set(bpf_object ${CMAKE_BINARY_DIR}/route.bpf.o)
set(bpf_embedded ${CMAKE_BINARY_DIR}/route_object.cc)
add_custom_command(OUTPUT ${bpf_object}
  COMMAND ${OFFHOOK_BPF_CLANG} -target bpf -O2 -g -Wall -Wextra -Werror -fdebug-prefix-map=${CMAKE_SOURCE_DIR}=.
    -I${CMAKE_SOURCE_DIR}/src -isystem ${BPF_INCLUDE} -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
    -c ${bpf_source} -o ${bpf_object}
  DEPENDS ${bpf_source} ${bpf_headers} ${CMAKE_SOURCE_DIR}/src/wire/route_abi.h
  VERBATIM)
add_custom_command(OUTPUT ${bpf_embedded}
  COMMAND ${CMAKE_COMMAND} -DOBJECT=${bpf_object} -DOUTPUT=${bpf_embedded}
    -P ${CMAKE_SOURCE_DIR}/cmake/embed_object.cmake
  DEPENDS ${bpf_object} ${CMAKE_SOURCE_DIR}/cmake/embed_object.cmake
  VERBATIM)

offhook_room(io/fastpath LINKS base io_loop)
target_sources(io_fastpath PRIVATE ${bpf_embedded})
target_include_directories(io_fastpath SYSTEM PRIVATE ${BPF_INCLUDE})
target_link_libraries(io_fastpath PUBLIC ${BPF_LIBRARY})
