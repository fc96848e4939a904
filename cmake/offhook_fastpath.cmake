# Programs for the kernel, compiled by clang and carried inside what loads them.
find_program(OFFHOOK_BPF_CLANG NAMES clang REQUIRED)
find_path(BPF_INCLUDE bpf/libbpf.h REQUIRED)
find_library(BPF_LIBRARY bpf REQUIRED)

# offhook_bpf(route bpf/route.bpf.c DEPENDS headers HEADER io/fastpath/route_object.h NAMESPACE offhook::io): sets
# route_embedded to a source file with the function route_object().
function(offhook_bpf name source)
  cmake_parse_arguments(PROGRAM "" "HEADER;NAMESPACE" "DEPENDS" ${ARGN})
  set(object ${CMAKE_BINARY_DIR}/${name}.bpf.o)
  set(embedded ${CMAKE_BINARY_DIR}/${name}_object.cc)
  add_custom_command(OUTPUT ${object}
    COMMAND ${OFFHOOK_BPF_CLANG} -target bpf -O2 -g -Wall -Wextra -Werror -fdebug-prefix-map=${CMAKE_SOURCE_DIR}=.
      -I${CMAKE_SOURCE_DIR}/src -isystem ${BPF_INCLUDE} -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
      -c ${CMAKE_SOURCE_DIR}/${source} -o ${object}
    DEPENDS ${CMAKE_SOURCE_DIR}/${source} ${PROGRAM_DEPENDS}
    VERBATIM)
  add_custom_command(OUTPUT ${embedded}
    COMMAND ${CMAKE_COMMAND} -DOBJECT=${object} -DOUTPUT=${embedded} -DHEADER=${PROGRAM_HEADER}
      -DNAMESPACE=${PROGRAM_NAMESPACE} -DFUNCTION=${name}_object -P ${CMAKE_SOURCE_DIR}/cmake/embed_object.cmake
    DEPENDS ${object} ${CMAKE_SOURCE_DIR}/cmake/embed_object.cmake
    VERBATIM)
  set(${name}_embedded ${embedded} PARENT_SCOPE)
endfunction()

file(GLOB bpf_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h)
offhook_bpf(route bpf/route.bpf.c DEPENDS ${bpf_headers} ${CMAKE_SOURCE_DIR}/src/wire/route_abi.h
  HEADER io/fastpath/route_object.h NAMESPACE offhook::io)

offhook_bpf(lookup bpf/lookup.bpf.c DEPENDS ${CMAKE_SOURCE_DIR}/src/wire/lookup_abi.h
  HEADER io/fastpath/lookup_object.h NAMESPACE offhook::io)

offhook_room(io/fastpath LINKS base io_loop)
target_sources(io_fastpath PRIVATE ${route_embedded} ${lookup_embedded})
target_include_directories(io_fastpath SYSTEM PRIVATE ${BPF_INCLUDE})
target_link_libraries(io_fastpath PUBLIC ${BPF_LIBRARY})
