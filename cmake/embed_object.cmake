# cmake -DOBJECT=file.o -DOUTPUT=file.cc -DHEADER=io/fastpath/route_object.h -DNAMESPACE=offhook::io
#   -DFUNCTION=route_object -P embed_object.cmake: writes the function with the bytes of OBJECT.
file(READ ${OBJECT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "// Made by cmake/embed_object.cmake.
#include \"${HEADER}\"

namespace ${NAMESPACE} {
namespace {
// libbpf reads it in place as ELF.
alignas(16) constexpr unsigned char kObject[] = {${bytes}};
}  // namespace

Bytes ${FUNCTION}() { return kObject; }

}  // namespace ${NAMESPACE}
")
