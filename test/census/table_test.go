// SPDX-License-Identifier: Apache-2.0

package census

// daemon is a line of the census: a package of the distribution, and what its service does in a container.
type daemon struct {
	packages string // what is installed for it, the one with the unit first
	units    string
	file     string // of the host that its documentation has an administrator write before a start
	text     string // of that
	probe    string // shell inside; it serves when this prints what answer is a part of
	answer   string
	options  []string // further ones of create
	refused  string   // what create or start says of a service that no container can run; it has no probe
	short    bool     // whether the short part has it too
}

// ask returns shell that sends text to a port inside and prints the answer.
func ask(port, text string) string {
	return "(printf '" + text + "'; sleep 1) | busybox nc -w 3 127.0.0.1 " + port
}

// daemons are those of Debian 12.
func daemons() []daemon {
	return []daemon{
		{packages: "nginx", units: "nginx", probe: "curl -s localhost", answer: "<title>", short: true},
		{packages: "apache2", units: "apache2", probe: "curl -s localhost", answer: "It works", short: true},
		{packages: "lighttpd", units: "lighttpd", probe: "curl -s localhost", answer: "<title>"},
		{packages: "postgresql", units: "postgresql", probe: "su postgres -c 'psql -Atc \"show ssl\"'", answer: "on",
			short: true},
		{packages: "mariadb-server", units: "mariadb", probe: "mariadb -Ne 'select 6*7'", answer: "42"},
		{packages: "redis-server", units: "redis-server", probe: "redis-cli ping", answer: "PONG", short: true},
		{packages: "memcached", units: "memcached", probe: ask("11211", `version\r\nquit\r\n`),
			answer: "VERSION", short: true},
		{packages: "tor", units: "tor@default", probe: ask("9050", `GET / HTTP/1.0\r\n\r\n`),
			answer: "Tor is", short: true},
		{packages: "varnish", units: "varnish", probe: "curl -si localhost:6081", answer: "503 Backend", short: true},
		{packages: "haproxy", units: "haproxy", probe: "busybox pidof haproxy", answer: " ", short: true},
		{packages: "squid", units: "squid", probe: "curl -si localhost:3128", answer: "squid"},
		{packages: "rsync", units: "rsync", file: "/etc/rsyncd.conf", text: "[pub]\npath = /srv\n",
			probe: "rsync localhost::", answer: "pub", short: true},
		{packages: "openssh-server", units: "ssh", probe: ask("22", ""), answer: "SSH-2.0"},
		{packages: "dovecot-imapd", units: "dovecot", probe: ask("143", `a logout\r\n`), answer: "ready"},
		{packages: "postfix", units: "postfix", probe: ask("25", `quit\r\n`), answer: "ESMTP"},
		{packages: "exim4-daemon-light", units: "exim4", probe: ask("25", `quit\r\n`), answer: "ESMTP"},
		{packages: "bind9 bind9-dnsutils", units: "named", probe: "dig +short @127.0.0.1 localhost",
			answer: "127.0.0.1"},
		{packages: "unbound dns-root-data bind9-dnsutils", units: "unbound", probe: "dig +short @127.0.0.1 localhost",
			answer: "127.0.0.1"},
		{packages: "nsd", units: "nsd", probe: "busybox pidof nsd", answer: "1"},
		{packages: "knot", units: "knot", probe: "knotc status", answer: "Running"},
		{packages: "pdns-server pdns-backend-bind", units: "pdns", probe: "pdns_control rping", answer: "PONG"},
		{packages: "pdns-recursor", units: "pdns-recursor", probe: "rec_control ping", answer: "pong"},
		{packages: "dnsmasq bind9-dnsutils", units: "dnsmasq", probe: "dig +short @127.0.0.1 localhost",
			answer: "127.0.0.1"},
		{packages: "stubby", units: "stubby", probe: "busybox pidof stubby", answer: ""},
		{packages: "vsftpd", units: "vsftpd", probe: ask("21", `quit\r\n`), answer: "220", short: true},
		{packages: "proftpd-core", units: "proftpd", probe: ask("21", `quit\r\n`), answer: "220"},
		{packages: "pure-ftpd", units: "pure-ftpd", probe: ask("21", `quit\r\n`), answer: "220",
			// It insists on these; with user ids of its own a container cannot use them on the host.
			options: []string{"--capabilities", "auto +CAP_DAC_READ_SEARCH +CAP_SYS_NICE"}},
		{packages: "tftpd-hpa", units: "tftpd-hpa", probe: "busybox pidof in.tftpd", answer: ""},
		{packages: "mosquitto", units: "mosquitto", probe: "busybox nc -w 1 127.0.0.1 1883 </dev/null && echo open",
			answer: "open"},
		{packages: "rabbitmq-server", units: "rabbitmq-server", probe: "rabbitmqctl ping", answer: "succeeded"},
		{packages: "beanstalkd", units: "beanstalkd", probe: ask("11300", `stats\r\n`), answer: "OK"},
		{packages: "nats-server", units: "nats-server", probe: ask("4222", ""), answer: "INFO"},
		{packages: "prometheus-node-exporter", units: "prometheus-node-exporter",
			probe:  "curl -s localhost:9100/metrics",
			answer: "node_", short: true},
		{packages: "prometheus", units: "prometheus", probe: "sleep 2; curl -s localhost:9090/-/healthy",
			answer: "Healthy"},
		{packages: "prometheus-alertmanager", units: "prometheus-alertmanager",
			probe:  "sleep 2; curl -s localhost:9093/-/healthy",
			answer: "OK"},
		{packages: "snmpd", units: "snmpd", probe: "busybox pidof snmpd", answer: ""},
		{packages: "cron", units: "cron", probe: "busybox pidof cron", answer: "", short: true},
		{packages: "at", units: "atd", probe: "busybox pidof atd", answer: ""},
		{packages: "rsyslog", units: "rsyslog",
			probe:  "logger census-$$; sleep 1; grep -q census-$$ /var/log/syslog && echo there",
			answer: "there"},
		{packages: "fail2ban python3-systemd", units: "fail2ban", file: "/etc/fail2ban/jail.d/census.local",
			text: "[sshd]\nbackend = systemd\n", probe: "fail2ban-client ping", answer: "pong"},
		{packages: "slapd ldap-utils", units: "slapd", probe: "ldapsearch -x -s base -b ''", answer: "Success"},
		{packages: "icecast2", units: "icecast2", probe: "curl -s localhost:8000", answer: "icecast"},
		{packages: "stunnel4", units: "stunnel4", file: "/etc/stunnel/census.conf",
			text:  "[census]\nclient = yes\naccept = 127.0.0.1:8899\nconnect = 127.0.0.1:80\n",
			probe: "busybox nc -w 1 127.0.0.1 8899 </dev/null && echo open", answer: "open"},
		{packages: "chrony", units: "chrony", refused: "sets the clock"},
		{packages: "ntpsec", units: "ntpsec", refused: "sets the clock"},
		{packages: "samba", units: "smbd", probe: "busybox nc -w 1 127.0.0.1 445 </dev/null && echo open",
			answer: "open"},
		{packages: "cups", units: "cups", probe: "curl -s localhost:631", answer: "CUPS"},
		{packages: "php-fpm", units: "php8.2-fpm", probe: "test -S /run/php/php8.2-fpm.sock && echo open",
			answer: "open"},
		{packages: "tomcat10", units: "tomcat10", probe: "sleep 5; curl -s localhost:8080", answer: "Tomcat"},
		{packages: "openvpn", units: "openvpn", probe: "systemctl is-active openvpn", answer: "active"},
		{packages: "tinyproxy", units: "tinyproxy", probe: "curl -si localhost:8888", answer: "tinyproxy"},
		{packages: "privoxy", units: "privoxy", probe: "curl -si localhost:8118", answer: "HTTP/1.1 400"},
		{packages: "pgbouncer", units: "pgbouncer", probe: "busybox nc -w 1 127.0.0.1 6432 </dev/null && echo open",
			answer: "open"},
		{packages: "monit", units: "monit", probe: "busybox pidof monit", answer: ""},
		{packages: "collectd-core collectd", units: "collectd", probe: "busybox pidof collectd", answer: ""},
		{packages: "ngircd", units: "ngircd", probe: "busybox nc -w 1 127.0.0.1 6667 </dev/null && echo open",
			answer: "open"},
		{packages: "prosody", units: "prosody", probe: "busybox nc -w 1 127.0.0.1 5222 </dev/null && echo open",
			answer: "open"},
		{packages: "mumble-server", units: "mumble-server",
			probe: "sleep 1; busybox nc -w 1 127.0.0.1 64738 </dev/null && echo open", answer: "open"},
		{packages: "coturn", units: "coturn", probe: "busybox nc -w 1 127.0.0.1 3478 </dev/null && echo open",
			answer: "open",
			// It wants an address that is not this machine's alone.
			options: []string{"-N", "bridge=" + bridge + ",address=10.223.0.2/24"}},
		{packages: "transmission-daemon", units: "transmission-daemon", probe: "curl -si localhost:9091",
			answer: "Transmission"},
		{packages: "radicale", units: "radicale", probe: "sleep 2; curl -si localhost:5232", answer: "HTTP/"},
		{packages: "opendkim", units: "opendkim", probe: "busybox pidof opendkim", answer: ""},
		{packages: "freeradius", units: "freeradius", probe: "busybox pidof freeradius", answer: ""},
		{packages: "etcd-server", units: "etcd", probe: "sleep 1; curl -s localhost:2379/health", answer: "true"},
		{packages: "zookeeperd", units: "zookeeper", probe: "busybox pidof java", answer: ""},
		{packages: "influxdb", units: "influxdb", probe: "sleep 2; curl -si localhost:8086/ping", answer: "204"},
		{packages: "openntpd", units: "openntpd", refused: "sets the clock"},
		{packages: "dropbear-bin dropbear", units: "dropbear", probe: ask("22", ""), answer: "SSH-2.0"},
		{packages: "avahi-daemon", units: "avahi-daemon", probe: "avahi-daemon -c && echo runs", answer: "runs"},
		{packages: "rpcbind", units: "rpcbind", probe: "rpcinfo -p", answer: "portmapper"},
		{packages: "zabbix-agent", units: "zabbix-agent",
			probe: "busybox nc -w 1 127.0.0.1 10050 </dev/null && echo open", answer: "open"},
		{packages: "munin-node", units: "munin-node", probe: ask("4949", `quit\n`), answer: "munin node"},
		{packages: "postgrey", units: "postgrey",
			probe: "sleep 1; busybox nc -w 1 127.0.0.1 10023 </dev/null && echo open", answer: "open"},
		{packages: "apt-cacher-ng", units: "apt-cacher-ng", probe: "curl -si localhost:3142", answer: "Apt-Cacher"},
		{packages: "caddy", units: "caddy", probe: "curl -si localhost", answer: "Server: Caddy"},
		{packages: "courier-imap", units: "courier-imap", probe: ask("143", `a logout\r\n`), answer: "Courier-IMAP"},
		{packages: "knot-resolver bind9-dnsutils", units: "kresd@1", probe: "dig +short @127.0.0.1 localhost",
			answer: "127.0.0.1"},
		// Units of other packages that these require are theirs too.
		{packages: "ejabberd", units: "ejabberd",
			probe:  "sleep 5; busybox nc -w 1 127.0.0.1 5222 </dev/null && systemctl is-active epmd",
			answer: "active"},
		{packages: "nfs-kernel-server", units: "nfs-server", refused: "requires proc-fs-nfsd.mount"},
		// Its database comes from the network.
		{packages: "clamav-daemon", units: "clamav-daemon",
			refused: "skipped, since ConditionPathExistsGlob=/var/lib/clamav/"},
	}
}
