// The document that GET /api/openapi.json serves and the routes that there are: the same, both ways.

#include <set>

#include "service/api/backend_fixture.h"
#include "service/api/openapi_document.h"

namespace offhook::service {
namespace {

constexpr std::size_t kDocumentBytesLimit = std::size_t{256} * 1024;

using Routes = std::set<std::pair<std::string, std::string>>;

// Those of the document, by walking over every path that the router knows, and over the text for the others.
Routes documented(const json::Document& document) {
  Routes routes;
  const json::Value paths = *document.root().find("paths");
  // The JSON room gives members by name alone; the names of paths are those strings of the text that begin
  // with "/api/ and are followed by a colon.
  const std::string text(openapi_document());
  for (std::size_t at = text.find("\"/api/"); at != std::string::npos; at = text.find("\"/api/", at + 1)) {
    const std::size_t end = text.find('"', at + 1);
    if (text.substr(end, 2) != "\":") continue;
    const std::string path = text.substr(at + 1, end - at - 1);
    const auto item = paths.find(path);
    if (!item) continue;
    for (const char* method : {"get", "put", "post", "delete", "patch", "options", "head", "trace"}) {
      std::string upper(method);
      for (char& letter : upper) letter = static_cast<char>(letter - 'a' + 'A');
      if (item->find(method)) routes.emplace(upper, path);
    }
  }
  EXPECT_EQ(paths.size(), [&] {
    std::set<std::string> names;
    for (const auto& [method, path] : routes) names.insert(path);
    return names.size();
  }()) << "each path has a method, and none was missed";
  return routes;
}

TEST_F(Backend, TheDocumentIsServedToEverybody) {
  const ApiAnswer answer = ask("GET", "/api/openapi.json", "", "");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.http.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.at("openapi"), "3.1.0");
  EXPECT_EQ(answer.http.body, openapi_document());
}

TEST_F(Backend, EveryRouteIsInTheDocumentAndEveryPathOfItHasItsRoute) {
  const auto document = json::parse(openapi_document(), {.max_bytes = kDocumentBytesLimit, .max_depth = 32});
  ASSERT_TRUE(document) << document.error().text();
  Routes routes;
  for (const io::HttpRoute& route : running_.on_loop([this] { return running_.server().routes(); })) {
    if (route.path.starts_with("/api/")) routes.emplace(route.method, route.path);
  }
  EXPECT_GT(routes.size(), 5U);
  EXPECT_EQ(documented(*document), routes);
}

}  // namespace
}  // namespace offhook::service
