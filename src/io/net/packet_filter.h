#pragma once

#include <string>

namespace offhook::io {

// What of this machine looks at, changes or stops the packets of its processes, past which a packet socket
// would send: nftables, iptables, IPVS, IPsec policies, programs of the process's cgroup. Empty: nothing
// does. Text for one line of a log: "nftables (table inet filter)", "iptables (filter, nat)". Where it cannot
// be known it begins with "unknown: " and tells why.
//
// Not looked for: programs that hang on netfilter's hooks by themselves (Linux 6.4), and labels of SELinux.
// Of the calling thread's network namespace. Keeps nothing open. Takes some 50 us while nothing is there (200
// with cold caches), and more where nftables has hundreds of chains without a hook. A thread's first call may
// make the kernel load nf_tables and xfrm_user, if it has them as modules.
std::string packet_filter_in_the_way();

// What of an interface queues, shapes or filters the packets that leave by it, past which an AF_XDP socket
// would send, though a packet socket does not: a queueing discipline (tc(8)) of any interface, chains of
// nftables that hang on one, programs (tcx). Otherwise as packet_filter_in_the_way().
std::string interface_queue_in_the_way();

}  // namespace offhook::io
