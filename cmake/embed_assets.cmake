# cmake -DDIST=dir -DOUTPUT=file.cc -P embed_assets.cmake: writes web_assets() with every file of DIST.
file(GLOB_RECURSE files RELATIVE ${DIST} ${DIST}/*)
list(SORT files)
if(NOT files)
  message(FATAL_ERROR "${DIST} is empty: tools/build-web did not build the page")
endif()

function(content_type_of path result)
  if(path MATCHES "\\.html$")
    set(type "text/html; charset=utf-8")
  elseif(path MATCHES "\\.js$")
    set(type "text/javascript; charset=utf-8")
  elseif(path MATCHES "\\.css$")
    set(type "text/css; charset=utf-8")
  elseif(path MATCHES "\\.svg$")
    set(type "image/svg+xml")
  elseif(path MATCHES "\\.png$")
    set(type "image/png")
  elseif(path MATCHES "\\.(json|map)$")
    set(type "application/json")
  elseif(path MATCHES "\\.(d\\.ts|txt)$")
    set(type "text/plain; charset=utf-8")
  else()
    message(FATAL_ERROR "no content type is known for ${path}; add it to cmake/embed_assets.cmake")
  endif()
  set(${result} "${type}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(index 0)
foreach(path ${files})
  content_type_of(${path} type)
  file(READ ${DIST}/${path} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char kAsset${index}[] = {${bytes}};\n")
  string(APPEND rows "    {\"/${path}\", \"${type}\", kAsset${index}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Made by cmake/embed_assets.cmake from web/dist.
#include \"web_assets.h\"

namespace offhook {
namespace {
${arrays}
constexpr WebAsset kAssets[] = {
${rows}};
}  // namespace

std::span<const WebAsset> web_assets() { return kAssets; }

}  // namespace offhook
")
