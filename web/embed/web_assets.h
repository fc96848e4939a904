#pragma once
// The files of web/dist, embedded in the binary when it is built.

#include <span>
#include <string_view>

namespace offhook {

struct WebAsset {
  std::string_view path;          // "/index.html", "/sdk/offhook.js"
  std::string_view content_type;  // with charset where it is text
  std::span<const unsigned char> bytes;
};

std::span<const WebAsset> web_assets();

}  // namespace offhook
