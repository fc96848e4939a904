#pragma once

#include <string_view>

namespace offhook::service {

// The HTTP interface as OpenAPI 3.1: every path under /api/, those of service/credentials among them.
std::string_view openapi_document();

}  // namespace offhook::service
