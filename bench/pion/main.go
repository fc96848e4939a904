// A TURN server made of Debian's pion (golang-github-pion-turn.v2-dev), for bench/relay to measure beside offhook:
// what somebody writes who follows that library's examples. bench/relay builds it.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/pion/turn/v2"
)

func main() {
	listen := flag.String("listen", "", "ADDRESS:PORT for clients over UDP and TCP")
	tlsListen := flag.String("tls-listen", "", "ADDRESS:PORT for clients over TLS, with a certificate")
	relay := flag.String("relay-address", "", "address of the relayed transport addresses")
	low := flag.Uint("min-port", 20000, "first relay port")
	high := flag.Uint("max-port", 59999, "last relay port")
	realm := flag.String("realm", "bench.invalid", "realm")
	secret := flag.String("secret", "", "shared secret of time-limited credentials")
	cert := flag.String("cert", "", "certificate")
	key := flag.String("key", "", "its key")
	flag.Parse()

	ports := &turn.RelayAddressGeneratorPortRange{
		RelayAddress: net.ParseIP(*relay),
		Address:      *relay,
		MinPort:      uint16(*low),
		MaxPort:      uint16(*high),
	}
	config := turn.ServerConfig{
		Realm: *realm,
		// The password is HMAC-SHA1 of the name. When it expires is not looked at: it lives for the measurement.
		AuthHandler: func(username, realm string, _ net.Addr) ([]byte, bool) {
			mac := hmac.New(sha1.New, []byte(*secret))
			mac.Write([]byte(username))
			password := base64.StdEncoding.EncodeToString(mac.Sum(nil))
			return turn.GenerateAuthKey(username, realm, password), true
		},
	}
	socket, err := net.ListenPacket("udp4", *listen)
	check(err)
	config.PacketConnConfigs = []turn.PacketConnConfig{{PacketConn: socket, RelayAddressGenerator: ports}}
	listener, err := net.Listen("tcp4", *listen)
	check(err)
	config.ListenerConfigs = []turn.ListenerConfig{{Listener: listener, RelayAddressGenerator: ports}}
	if *tlsListen != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		check(err)
		secured, err := tls.Listen("tcp4", *tlsListen, &tls.Config{Certificates: []tls.Certificate{pair}})
		check(err)
		config.ListenerConfigs = append(config.ListenerConfigs,
			turn.ListenerConfig{Listener: secured, RelayAddressGenerator: ports})
	}
	server, err := turn.NewServer(config)
	check(err)
	fmt.Println("serving")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	check(server.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
