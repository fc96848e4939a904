# cmake -DOBJECT=file.o -DOUTPUT=file.cc -P embed_object.cmake: writes route_object() with the bytes of OBJECT.
file(READ ${OBJECT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "// Made by cmake/embed_object.cmake.
#include \"io/fastpath/route_object.h\"

namespace offhook::io {
namespace {
// libbpf reads it in place as ELF.
alignas(16) constexpr unsigned char kObject[] = {${bytes}};
}  // namespace

Bytes route_object() { return kObject; }

}  // namespace offhook::io
")
