// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const webUnitText = "[Service]\nExecStart=/usr/sbin/httpd\n"

// webSpec is a service with a unit at the merged place and a package beside it that shares a directory.
const webSpec = `
Name: httpd
Version: 2.4.62
Release: 1
Summary: Web server
License: none
BuildArch: noarch
AutoReqProv: no
%description
Web server
%package -n mod_ssl
Requires: httpd(x86-64) = 2.4.62-1
Requires: httpd-filesystem(armv7hl-32), httpd, /etc/httpd/httpd.conf, /usr/bin/sscg
Requires: config(httpd), user(apache), libssl.so.3()(64bit), (php-fpm if httpd)
Summary: TLS
AutoReqProv: no
%description -n mod_ssl
TLS
%package meta
Summary: Nothing but dependencies
AutoReqProv: no
%description meta
No file
%install
mkdir -p %{buildroot}/usr/lib/systemd/system %{buildroot}/usr/sbin %{buildroot}/etc/httpd/conf.d %{buildroot}/var/www
printf '[Service]\nExecStart=/usr/sbin/httpd\n' > %{buildroot}/usr/lib/systemd/system/httpd.service
echo program > %{buildroot}/usr/sbin/httpd
echo helper > %{buildroot}/usr/sbin/suexec
echo Listen > %{buildroot}/etc/httpd/httpd.conf
echo SSLEngine > %{buildroot}/etc/httpd/conf.d/ssl.conf
ln -s ../../var/log/httpd %{buildroot}/etc/httpd/logs
%pre
true useradd -r apache
%posttrans
true groupadd -r httpd
%files
%dir /etc/httpd/conf.d
%config(noreplace) /etc/httpd/httpd.conf
/etc/httpd/logs
/usr/lib/systemd/system/httpd.service
%attr(0755,root,root) /usr/sbin/httpd
%attr(4510,root,apache) /usr/sbin/suexec
%attr(2750,apache,www) %dir /var/www
%ghost %attr(0600,root,root) /var/www/cache
%files -n mod_ssl
%dir /etc/httpd/conf.d
%attr(0640,apache,apache) %config /etc/httpd/conf.d/ssl.conf
%files meta
`

// ftpSpec is a service with a unit at the place before the merge of /usr.
const ftpSpec = `
Name: vsftpd
Version: 3.0.5
Release: 2
Summary: FTP server
License: none
BuildArch: noarch
AutoReqProv: no
%description
FTP server
%install
mkdir -p %{buildroot}/lib/systemd/system
echo unit > %{buildroot}/lib/systemd/system/vsftpd.service
%files
/lib/systemd/system/vsftpd.service
`

// kernelSpec is a package of which several versions are installed at once.
const kernelSpec = `
Name: kernel
Version: %[1]d
Release: 1
Summary: Kernel
License: none
BuildArch: noarch
AutoReqProv: no
%%description
Kernel
%%install
mkdir -p %%{buildroot}/boot
echo %[1]d > %%{buildroot}/boot/vmlinuz-%[1]d
%%files
/boot/vmlinuz-%[1]d
`

// hostFiles are the files of the database of a host with all of the packages above, in sqlite format.
var hostFiles = make(map[string][]byte)

// hostDatabase returns a copy of that database. It is made once, as rpmbuild takes longer than most tests.
func hostDatabase(t testing.TB) string {
	t.Helper()
	if len(hostFiles) == 0 {
		made := t.TempDir()
		for _, spec := range []string{webSpec, ftpSpec, fmt.Sprintf(kernelSpec, 9), fmt.Sprintf(kernelSpec, 10)} {
			install(t, made, buildRPMs(t, spec)...)
		}
		entries, err := os.ReadDir(made)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			hostFiles[e.Name()] = readAll(t, filepath.Join(made, e.Name()))
		}
	}
	dir := t.TempDir()
	for name, data := range hostFiles {
		writeFile(t, filepath.Join(dir, name), string(data))
	}
	return dir
}

// record is a row of the table of packages: a header under its number.
type record struct {
	number uint32
	blob   []byte
}

func records(t testing.TB, dir string) []record {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT hnum, blob FROM Packages ORDER BY hnum")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []record
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.number, &r.blob); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d headers in %s: %v", len(all), dir, err)
	}
	return all
}

// ndbDatabase writes headers in SUSE's format, which Debian's rpm cannot. That the format is right shows in
// TestDistributions, which reads one of SUSE's own.
func ndbDatabase(t testing.TB, records []record) string {
	t.Helper()
	numbers := func(values ...uint32) (b []byte) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	slots := append([]byte(ndbMagic), numbers(0, 1, 1, 0, 0, 0, 0)...)
	var blobs []byte
	// rpm fills any free slot, so that their order says nothing.
	for i := len(records) - 1; i >= 0; i-- {
		r := records[i]
		block := uint32(ndbPageSize+len(blobs)) / ndbSlotSize
		slots = append(append(slots, ndbSlotMagic...), numbers(r.number, block, uint32(len(r.blob)/ndbSlotSize+2))...)
		blobs = append(append(blobs, ndbBlobMagic...), numbers(r.number, 1, uint32(len(r.blob)))...)
		blobs = append(blobs, r.blob...)
		blobs = append(blobs, make([]byte, ndbSlotSize-len(r.blob)%ndbSlotSize)...)
	}
	for len(slots) < ndbPageSize {
		slots = append(append(slots, ndbSlotMagic...), numbers(0, 0, 0)...)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "Packages.db"), string(slots)+string(blobs))
	return dir
}

// bdbScript writes what it reads, numbers and lengths before values, with the real Berkeley DB.
const bdbScript = `
use DB_File; use Fcntl;
my $hash = DB_File::HASHINFO->new; $hash->{bsize} = $ARGV[1];
tie my %db, "DB_File", $ARGV[0], O_RDWR|O_CREAT, 0644, $hash or die "tie: $!";
binmode STDIN;
while (read(STDIN, my $head, 8)) {
	my ($number, $length) = unpack("L<L<", $head);
	read(STDIN, my $value, $length) == $length or die "short";
	$db{pack("L", $number)} = $value;
}
`

// bdbDatabase writes headers in the format of RHEL 8 and older, which rpm has become unable to write.
func bdbDatabase(t testing.TB, records []record, pageSize int) string {
	t.Helper()
	var input bytes.Buffer
	add := func(number uint32, value []byte) {
		input.Write(binary.LittleEndian.AppendUint32(nil, number))
		input.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(value))))
		input.Write(value)
	}
	for _, r := range records {
		add(r.number, r.blob)
	}
	// Under 0 rpm keeps the greatest number.
	add(0, binary.NativeEndian.AppendUint32(nil, records[len(records)-1].number))
	dir := t.TempDir()
	run(t, &input, "perl", "-e", bdbScript, filepath.Join(dir, "Packages"), fmt.Sprint(pageSize))
	return dir
}

// eachFormat runs a test with the same host's database in every format.
func eachFormat(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	dir := hostDatabase(t)
	all := records(t, dir)
	t.Run("sqlite", func(t *testing.T) { test(t, dir) })
	t.Run("ndb", func(t *testing.T) { test(t, ndbDatabase(t, all)) })
	t.Run("bdb", func(t *testing.T) { test(t, bdbDatabase(t, all, 4096)) })
	// On larger pages the headers are not on pages of their own.
	t.Run("bdb with large pages", func(t *testing.T) { test(t, bdbDatabase(t, all, 1<<15)) })
}
