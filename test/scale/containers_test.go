// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// processesOf lists the processes of each container by the group that its first program made, in one pass over /proc.
// The first of each is the container's first process.
func processesOf(mark string, names []string) map[string][]int {
	found := make(map[string][]int)
	for _, pid := range allProcesses() {
		groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			continue
		}
		_, rest, ok := strings.Cut(string(groups), mark)
		if !ok {
			continue
		}
		name := rest[:strings.IndexAny(rest, "/\n")]
		if slices.Contains(names, name) {
			found[name] = append(found[name], pid)
			if last := len(found[name]) - 1; isFirst(pid) {
				found[name][0], found[name][last] = pid, found[name][0]
			}
		}
	}
	return found
}

// isFirst tells of a process that is number 1 in a namespace of its own. It need not have the lowest number outside.
func isFirst(pid int) bool { return strings.HasSuffix(status(pid, "NSpid"), "\t1") }

// status gives one value of /proc/PID/status.
func status(pid int, field string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "\n"+field+":\t")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func allProcesses() []int {
	entries, _ := os.ReadDir("/proc")
	var list []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, pid)
		}
	}
	slices.Sort(list)
	return list
}

// journals counts the journals of systemd that run: the host's and those of the containers of these tests, and not
// those of other hosts that a machine may have in containers.
func journals() int {
	own, _ := os.Readlink("/proc/self/ns/pid")
	n := 0
	for _, pid := range processNamed("systemd-journal") {
		namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		groups, groupsErr := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil || groupsErr != nil {
			continue
		}
		if namespace == own || strings.Contains(string(groups), "/virt-sandbox-sc-") ||
			strings.Contains(string(groups), "/sc-nspawn/") {
			n++
		}
	}
	return n
}

// get asks the web server in the network namespace of a process.
func get(pid int) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		text, err := getHere(pid)
		answered <- answer{text, err}
	}()
	a := <-answered
	return a.text, a.err
}

func getHere(pid int) (string, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return "", err
	}
	defer namespace.Close()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return "", err
	}
	// No transport of net/http: that dials in threads of its own choice.
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Connect(socket, &unix.SockaddrInet4{Port: 80, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		unix.Close(socket)
		return "", err
	}
	file := os.NewFile(uintptr(socket), "http")
	connection, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	request, err := http.NewRequest(http.MethodGet, "http://localhost/", nil)
	if err != nil {
		return "", err
	}
	if err := request.Write(connection); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func page(name string) string { return "This is " + name + ".\n" }

// writePages gives each container a page of its own, from outside.
func writePages(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(contentDir, name, "var/www/html/index.html"), []byte(page(name)),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkPages has each container answer in its own network, with its own page.
func checkPages(t *testing.T, names []string) {
	t.Helper()
	processes := processesOf("/virt-sandbox-", names)
	networks := make(map[string]string)
	for _, name := range names {
		if len(processes[name]) == 0 {
			t.Errorf("%s has no processes", name)
			continue
		}
		first := processes[name][0]
		network, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", first))
		if err != nil {
			t.Error(err)
			continue
		}
		if other := networks[network]; other != "" {
			t.Errorf("%s has the network of %s", name, other)
		}
		networks[network] = name
		if text, err := get(first); err != nil || text != page(name) {
			t.Errorf("%s answers %q (%v)", name, text, err)
		}
		// Nor does it find another's: all that it can serve lies in its own /var.
		other := names[0]
		if other == name {
			other = names[len(names)-1]
		}
		if other == name {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/var/www/html/index.html", first))
		if err != nil || string(text) != page(name) {
			t.Errorf("%s has the page %q (%v)", name, text, err)
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/root%s/%s", first, contentDir, other)); !os.IsNotExist(err) {
			t.Errorf("%s sees the content of %s (%v)", name, other, err)
		}
	}
}

// these are the arguments that stand for sandboxes: --all where nobody else's are among all.
func these(names []string) []string {
	configs, err := filepath.Glob("/etc/libvirt-sandbox/services/*.sandbox")
	if err == nil && len(configs) == len(names) {
		return []string{"--all"}
	}
	return names
}
