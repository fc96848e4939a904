#include "service/web/web_service.h"

namespace offhook::service {

void add_web_routes(io::HttpServer& server, ReadyCheck ready) {
  add_web_routes(server, web_assets(), std::move(ready));
}

}  // namespace offhook::service
