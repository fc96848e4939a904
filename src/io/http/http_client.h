#pragma once
// Requests of ours to other servers (Beast): HTTP/1.1 in the clear or by TLS, one connection a request, on
// the control thread. No redirect is followed, and of an answer nothing but its head is read.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "io/http/control_loop.h"
#include "io/http/http_url.h"
#include "io/tls/tls_context.h"

namespace offhook::io {

struct OutgoingRequest {
  HttpUrl url;
  std::string method = "POST";
  std::vector<std::pair<std::string, std::string>> headers;  // beside Host and Content-Length
  std::string body;
};

struct IncomingAnswer {
  unsigned status = 0;
  std::string retry_after;  // as it came; empty if absent
};

enum class RequestFault {
  no_address,     // the name is not known, or the resolver does not answer
  not_permitted,  // none of its addresses may be connected to
  unreachable,    // refused, no route, reset
  bad_certificate,
  bad_answer,  // no HTTP/1.1, or too long a head
  timeout,
};
struct RequestError {
  RequestFault fault = RequestFault::unreachable;
  std::string message;  // a sentence without the URL, which may be secret
};

struct HttpClientSettings {
  // From the call of send() to the head of the answer, the resolver's time included.
  std::chrono::milliseconds timeout{10'000};
  // Asked for each address before it is connected to; empty: all may be. A name resolves to whatever its
  // owner says, so a list of names would be no wall.
  std::function<bool(const Ip&)> may_connect;
};

class HttpClient {
 public:
  using OnDone = std::function<void(Result<IncomingAnswer, RequestError>)>;

  // `loop` must outlive the client. `tls` is of io/tls/client_context.h.
  HttpClient(ControlLoop& loop, HttpClientSettings settings, TlsContext tls);
  // What is under way ends, and its callbacks never come.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `on_done` comes exactly once, never from within send().
  void send(OutgoingRequest request, OnDone on_done);

  struct State;  // for io/http alone

 private:
  std::shared_ptr<State> state_;
};

}  // namespace offhook::io
