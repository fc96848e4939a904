#include "page.h"

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/base64.h"
#include "wire/sdp/candidate.h"

namespace offhook::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSessionLifetime = seconds(30);
constexpr std::size_t kWarmRingingLimit = 2;
constexpr std::size_t kMaxLastWords = 8;

}  // namespace

Slot::Slot(Stage& stage, std::size_t at) : index(at), access(stage.plan, at) {
  const std::vector<PlannedDevice>& devices = stage.plan.devices;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].user != devices[at].user) continue;
    if (i < at) number += 1;
    count += 1;
  }
  user = user_name(devices[at].user);
  label = fmt::format("{}/{}", user, number);
  host = fmt::format("{}{}.{}", kHostNetwork, at, 1);
  client_address = {*Ip::parse(host), 40'000};
}

void Slot::move() {
  bindings += 1;
  client_address.port = static_cast<std::uint16_t>(40'000 + bindings);
}

Page::Page(Stage& stage, Network& network, RelayHost& relay, Judge& judge, Paths& paths, Slot& slot)
    : stage_(stage),
      relay_(relay),
      judge_(judge),
      paths_(paths),
      slot_(slot),
      dice_(slot.access.dice.roll()),
      connection_(stage, network, slot.access, slot.label, slot.user, stage.plan.devices[slot.index], *this),
      relay_client_(
          stage, slot.access.dice.roll(),
          [this](Buffer datagram) { paths_.send_datagram(slot_.index, std::move(datagram)); },
          [this] {
            for (PageCall* call : calls()) call->handle_relay();
          },
          [this] { slot_.move(); }),
      offline_timer_(stage.timetable),
      burial_timer_(stage.timetable) {}

Page::~Page() {
  for (PageCall* call : calls()) {
    if (call->link()) paths_.leave(call->link()->ufrag);
  }
}

void Page::start() { connection_.start(); }

std::string Page::new_call_id() {
  std::array<std::uint8_t, 16> raw{};
  dice_.fill(raw);
  return "c_" + crypto::base64url_encode(raw);
}

PageCall* Page::find(const std::string& call) {
  const auto found = calls_.find(call);
  return found == calls_.end() ? nullptr : found->second.get();
}

// Those that are held back first: the end of our own would show them to the app.
std::vector<PageCall*> Page::calls() {
  std::vector<PageCall*> all;
  for (const auto& [id, call] : calls_) {
    all.insert(held_.contains(id) ? all.begin() : all.end(), call.get());
  }
  return all;
}

void Page::dial(std::size_t to, const Entry* script) { dial(to, script, new_call_id()); }

void Page::dial(std::size_t to, const Entry* script, const std::string& id) {
  const std::string peer = user_name(to);
  for (PageCall* call : calls()) {
    const bool rings =
        call->peer() == peer && !call->is_outgoing() && call->state() == PageCall::State::ringing;
    if (rings && !held_.contains(call->id())) return call->accept();
  }
  judge_.dialled(id, slot_.index, to, script);
  auto made = std::make_unique<PageCall>(stage_, judge_, *this, id, peer, true, WarmPath::off, script);
  PageCall& call = *made;
  calls_.emplace(id, std::move(made));
  connection_.probe();
  handle_state();
  call.start();
}

void Page::leave() {
  is_leaving_ = true;
  held_.clear();
  for (PageCall* call : calls()) call->end();
  connection_.say_bye();
  relay_client_.stop();
}

void Page::hang_up_all() {
  held_.clear();
  for (PageCall* call : calls()) call->end();
}

void Page::send(ClientMessage message) {
  if (message.kind == Kind::accept) views_[message.call].said_accept = true;
  if (message.kind == Kind::dial) views_[message.call].is_caller = true;
  if (message.kind == Kind::take) views_[message.call].said_take = true;
  if (message.kind == Kind::snapshot) {
    View& view = views_[message.call];
    view.tell(message.telling);
    view.may_be_with_old_session = connection_.has_given_up();
  }
  connection_.send(std::move(message));
}

// Everything that the server has said more than two seconds ago is here.
bool Page::is_well() const {
  return connection_.heard_within(milliseconds(1500)) &&
         slot_.access.frozen_until + seconds(4) < stage_.now() &&
         slot_.access.stalled_until + seconds(4) < stage_.now();
}

std::string Page::new_ufrag(PageCall& call) {
  std::string ufrag = fmt::format("{:x}", dice_.roll());
  paths_.enter(ufrag, slot_.index, call);
  return ufrag;
}

bool Page::may_warm() const {
  const auto warming = std::count_if(calls_.begin(), calls_.end(),
                                     [](const auto& entry) { return entry.second->is_warming(); });
  return static_cast<std::size_t>(warming) < kWarmRingingLimit;
}

void Page::handle_candidate(const std::string& candidate) {
  if (!stage_.plan.devices[slot_.index].asks_for_permissions) return;
  const auto parsed = sdp::parse_candidate(candidate);
  const auto address = parsed ? parsed->address() : std::nullopt;
  if (!address || parsed->type != sdp::CandidateType::relay) return;
  relay_.note_asked(slot_.user, address->ip);
  relay_client_.ask_permission(*address);
}

void Page::handle_message(const ServerMessage& message, const ClientMessage* refused) {
  const bool is_about_call = message.said != Said::elsewhere;
  if (is_about_call)
    judge_.hear(connection_.session(), slot_.index, views_[message.call], message, slot_.label);
  if (is_leaving_) return;
  if (!is_about_call && !message.elsewhere.empty()) take(message.elsewhere.front());
  if (message.said == Said::place) return handle_place(message);
  PageCall* call = find(message.call);
  if (call != nullptr) return call->handle_message(message, refused);
  if (message.said == Said::incoming) handle_incoming(message);
}

// The person of one device follows, and the others leave it to that one.
void Page::handle_place(const ServerMessage& message) {
  const bool is_shown = milliseconds(message.age_ms) < call_settings(stage_.plan).ring_timeout;
  if (!is_shown || stage_.plan.seed % slot_.count != slot_.number) return;
  for (std::size_t user = 0; user < stage_.plan.users; ++user) {
    if (user_name(user) == message.to) dial(user, nullptr, message.call);
  }
}

void Page::handle_incoming(const ServerMessage& message) {
  if (is_remembered(message.call)) return;
  PageCall* own = dialled(message.from);
  if (own != nullptr && message.call < own->id()) return replace_own(*own, message);
  auto made = std::make_unique<PageCall>(stage_, judge_, *this, message.call, message.from, false,
                                         message.warm_path, judge_.script_of(message.call));
  PageCall& call = *made;
  if (own == nullptr && is_busy()) return call.reject("busy");
  calls_.emplace(message.call, std::move(made));
  handle_state();
  call.ring(message.age_ms, call_settings(stage_.plan).ring_timeout);
  if (own != nullptr) {
    held_.insert(call.id());
  } else {
    show(call);
  }
}

void Page::replace_own(PageCall& own, const ServerMessage& message) {
  auto entry = calls_.extract(own.id());
  entry.key() = message.call;
  calls_.insert(std::move(entry));
  own.become(message);
}

PageCall* Page::dialled(const std::string& user) {
  for (PageCall* call : calls()) {
    if (call->peer() == user && call->is_outgoing() && call->is_unanswered()) return call;
  }
  return nullptr;
}

bool Page::is_busy() const {
  return std::any_of(calls_.begin(), calls_.end(),
                     [](const auto& entry) { return entry.second->is_answered(); });
}

void Page::show(PageCall& call) { call.show(slot_.number, slot_.count); }

void Page::release_held() {
  const std::set<std::string> held = held_;
  for (const std::string& id : held) {
    PageCall* call = find(id);
    if (call != nullptr && dialled(call->peer()) != nullptr) continue;
    held_.erase(id);
    if (call == nullptr) continue;
    if (is_busy()) {
      call->reject("busy");
    } else {
      show(*call);
    }
  }
}

void Page::handle_ended(PageCall& call) {
  const auto found = calls_.find(call.id());
  if (found == calls_.end() || found->second.get() != &call) return;
  remember(call);
  over_.push_back(std::move(found->second));
  calls_.erase(found);
  held_.erase(call.id());
  burial_timer_.set(Duration::zero(), [this] { bury(); });
  if (is_leaving_) return;
  release_held();
  handle_state();
}

// We talk to them: what else comes from them is of no use.
void Page::handle_answered(PageCall& call) {
  for (PageCall* other : calls()) {
    if (other != &call && other->peer() == call.peer()) other->reject("busy");
  }
}

void Page::handle_state() {
  const bool is_urgent = std::any_of(calls_.begin(), calls_.end(), [](const auto& entry) {
    return entry.second->state() != PageCall::State::connected && !entry.second->is_over();
  });
  connection_.set_urgent(is_urgent);
}

void Page::handle_online(bool) { offline_timer_.cancel(); }

void Page::handle_offline() {
  if (offline_timer_.is_set() || is_leaving_) return;
  offline_timer_.set(kSessionLifetime, [this] {
    for (PageCall* call : calls()) call->handle_long_offline();
  });
}

void Page::handle_session_lost(const std::set<std::string>& kept) {
  if (stage_.plan.tells_snapshots) return tell_all();
  std::map<std::string, View> views;
  for (const std::string& call : kept) views[call] = views_[call];
  views_ = std::move(views);
  for (PageCall* call : calls()) {
    if (!kept.contains(call->id()) && !call->is_over()) call->lose_session();
  }
}

// The relay's address may have gone with the server's process.
void Page::tell_all() {
  views_.clear();
  slot_.move();
  relay_client_.handle_rebinding();
  const std::deque<ClientMessage> words = last_words_;
  for (const ClientMessage& word : words) send(word);
  for (PageCall* call : calls()) {
    if (!call->is_over()) call->tell();
  }
}

void Page::remember(const PageCall& call) {
  if (!stage_.plan.tells_snapshots) return;
  last_words_.push_back(call.snapshot());
  if (last_words_.size() > kMaxLastWords) last_words_.pop_front();
}

bool Page::is_remembered(const std::string& call) const {
  return std::any_of(last_words_.begin(), last_words_.end(),
                     [&call](const ClientMessage& word) { return word.call == call; });
}

void Page::handle_credentials(const std::string& username, const std::string& credential) {
  relay_client_.set_credentials(username, credential);
}

void Page::renew_network() { connection_.renew(); }

void Page::handle_rebinding() { relay_client_.handle_rebinding(); }

void Page::restart_ice() {
  for (PageCall* call : calls()) call->restart_ice();
}

void Page::take_fresh_path() {
  for (PageCall* call : calls()) call->take_fresh_path();
}

void Page::burst(std::uint64_t choice) {
  if (choice % 3 == 0) {
    for (PageCall* call : calls()) call->burst(20 + choice % 100);
    return;
  }
  if (choice % 3 == 1) {
    for (std::uint64_t i = 0; i < 8; ++i) restart_ice();
    return;
  }
  const std::size_t own = stage_.plan.devices[slot_.index].user;
  for (std::uint64_t i = 0; i < 3 + choice % 10; ++i) dial((own + 1) % stage_.plan.users, nullptr);
}

void Page::change(std::uint64_t choice) {
  const signal::MediaState state{{choice % 2 == 0, choice % 3 == 0}, choice % 5 == 0, choice % 7 < 3};
  for (PageCall* call : calls()) call->change(state);
}

void Page::ask_elsewhere() {
  if (connection_.is_online()) send(elsewhere_message());
}

void Page::take(const TakeableCall& wanted) {
  if (find(wanted.call) != nullptr) return;
  std::erase_if(last_words_, [&wanted](const ClientMessage& word) { return word.call == wanted.call; });
  auto made = std::make_unique<PageCall>(stage_, judge_, *this, wanted.call, wanted.peer, wanted.as_caller,
                                         WarmPath::off, judge_.script_of(wanted.call));
  PageCall& call = *made;
  calls_.emplace(wanted.call, std::move(made));
  call.take();
  handle_state();
}

void Page::hear_word(const std::string& id) {
  PageCall* call = find(id);
  if (call != nullptr) call->handle_word();
}

void Page::check_settled() const {
  require(connection_.is_online(), "a client comes back when the network does", slot_.label);
  require(connection_.numbered().pending().empty(), "what has come is acknowledged", slot_.label);
  for (const auto& [id, view] : views_) {
    const bool was_outrun = view.was_asked && !view.is_caller && judge_.was_made(id) && !stage_.plan.is_tight;
    require(!was_outrun || view.told, "a device that was asked hears that another one has made the call",
            slot_.label + " " + id);
    require(!view.took_part() || view.told.has_value(), "whoever is in a call hears that it is over",
            slot_.label + " " + id);
  }
}

}  // namespace offhook::sim
