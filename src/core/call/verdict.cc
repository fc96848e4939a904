#include "core/call/verdict.h"

namespace offhook::call {

using signal::EndReason;

Verdict verdict(EndReason reason, Side side, Cause cause) {
  const bool own = cause == Cause::this_end;
  const bool caller = side == Side::caller;
  const bool app = cause == Cause::app;
  switch (reason) {
    case EndReason::hangup:
      if (app) return {"The app ended the call.", false};
      return {own ? "You hung up." : "The other person hung up.", false};
    case EndReason::canceled:
      if (app) return {"The app ended the call before anyone answered.", false};
      return {caller ? "You hung up before anyone answered."
                     : "The caller hung up before you answered. Call back if you like.",
              false};
    case EndReason::declined:
      return {caller ? "The call was declined. Try again later." : "You declined the call.", false};
    case EndReason::answered_elsewhere:
      return {"The call was answered on another device.", false};
    case EndReason::declined_elsewhere:
      return {"The call was declined on another device.", false};
    case EndReason::busy:
      return {caller ? "The other person is in another call. Try again in a while."
                     : "You were in another call. Call back when you are free.",
              caller};
    case EndReason::no_answer:
      return {caller ? "Nobody answered. Try again later." : "You missed the call. Call back if you like.",
              caller};
    case EndReason::unreachable:
      return {"The other person is not online. Try again when they are.", caller};
    case EndReason::media_denied:
      return {own ? "The microphone or camera could not be used. Allow them for this page or app, then call "
                    "again."
                  : "The other person's microphone or camera could not be used. They have to allow them, "
                    "then call again.",
              true};
    case EndReason::ice_failed:
      return {
          "The two devices found no network path to each other. Try again, or try another network; if it "
          "stays, "
          "the operator should check the relay.",
          true};
    case EndReason::ice_lost:
      return {"The connection was lost and could not be repaired. Check the network and call again.", true};
    case EndReason::signaling_lost:
      return {own ? "This device lost its connection to the server. Check the network and call again."
                  : "The other device lost its connection to the server. Call again.",
              true};
    case EndReason::credentials:
      return {own ? "The server did not accept this device's credentials. Sign in again, then call again."
                  : "The server no longer accepts the other person's sign-in. They have to sign in again.",
              own};
    case EndReason::blocked:
      if (!caller) return {"Calls from this person are blocked.", false};
      return {own ? "You have blocked this person. Unblock them, then call again."
                  : "You cannot call this person.",
              false};
    case EndReason::server_shutdown:
      return {"The server is restarting. Call again in a moment.", true};
    case EndReason::error:
      return {own ? "The app on this device had a fault. Call again; if it stays, reload or restart the app."
                  : "The app on the other device had a fault. Call again.",
              true};
  }
  return {};
}

}  // namespace offhook::call
