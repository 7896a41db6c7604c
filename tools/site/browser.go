// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A telephone and a desk, in CSS pixels.
const (
	narrow, wide = 360, 1280
	height       = 900
)

// Limits of time: of all measuring, and of one picture on a machine that does other work too.
const (
	measureLimit = 5 * time.Minute
	pictureLimit = time.Minute
)

// measured is what the browser says of a page.
type measured struct {
	Page    string
	Width   int      // that it needs
	Broken  []string // pictures
	TooWide string   // the element that stands out most
}

// measuring has the browser open each page in a frame as narrow as a telephone, one after the other, and tell how wide it is.
const measuring = `<!DOCTYPE html><meta charset="utf-8"><body><script>
(async () => {
	const found = [];
	for (const page of %s) {
		const frame = document.createElement("iframe");
		frame.style = "width:%dpx;height:%dpx;border:0";
		frame.src = page;
		const loaded = new Promise(done => frame.onload = done);
		document.body.append(frame);
		await loaded;
		const inner = frame.contentDocument, width = inner.documentElement.scrollWidth;
		let out = null;
		for (const e of inner.querySelectorAll("main *")) {
			if (e.closest(".wide, pre")) continue;
			const right = e.getBoundingClientRect().right;
			if (right > %d + 0.5 && (!out || right > out.right)) out = {right, what: e.tagName + ": " + e.textContent.slice(0, 60)};
		}
		found.push({
			page, width, tooWide: out ? out.what : "",
			broken: [...inner.images].filter(i => !i.naturalWidth).map(i => i.getAttribute("src")),
		});
		frame.remove();
	}
	await fetch("/measured", {method: "POST", body: JSON.stringify(found)});
})();
</script>`

// framed shows a page in a frame of a width: no window of the browser is as narrow as a telephone.
const framed = `<!DOCTYPE html><meta charset="utf-8"><body style="margin:0;background:#888">
<iframe src="/%s" style="width:%dpx;height:%dpx;border:0;background:#fff"></iframe>`

// look opens a site in a browser. Nothing may be wider than a telephone, no picture may be missing. Pictures of pages on a
// telephone and on a desk, light and dark, are kept beside the site for a person to look at.
func look(browser, site string) error {
	names, err := pagesOf(site)
	if err != nil {
		return err
	}
	results := make(chan []measured, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(site, names, results), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	profile, err := os.MkdirTemp("", "site-browser")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	w := window{browser, profile, "http://" + listener.Addr().String()}
	found, err := w.measure(results)
	if err != nil {
		return err
	}
	pictures := site + ".pictures"
	if err := errors.Join(os.RemoveAll(pictures), os.MkdirAll(pictures, 0o755)); err != nil {
		return err
	}
	for _, page := range names {
		if strings.HasPrefix(page, "man/") && page != "man/virt-sandbox-service-create.1.html" {
			continue // they are alike
		}
		base := filepath.Join(pictures, strings.ReplaceAll(strings.TrimSuffix(page, ".html"), "/", "-"))
		err = errors.Join(err, w.picture(base+"-360.png", page, narrow, false))
		if page == "index.html" || page == "docs/security.html" {
			err = errors.Join(err, w.picture(base+"-1280.png", page, wide, false), w.picture(base+"-dark.png", page, wide, true))
		}
	}
	if err == nil {
		fmt.Printf("%d pages are readable at %d pixels; pictures are in %s\n", len(found), narrow, pictures)
	}
	return err
}

func pagesOf(site string) (names []string, err error) {
	err = filepath.WalkDir(site, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(file, ".html") {
			name, _ := filepath.Rel(site, file)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no pages in %s", site)
	}
	slices.Sort(names)
	return names, err
}

func handler(site string, names []string, results chan<- []measured) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(site)))
	mux.HandleFunc("GET /measuring", func(w http.ResponseWriter, _ *http.Request) {
		list, _ := json.Marshal(names)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, measuring, list, narrow, height, narrow)
	})
	mux.HandleFunc("GET /framed/{width}/{page...}", func(w http.ResponseWriter, r *http.Request) {
		width := narrow
		if r.PathValue("width") == fmt.Sprint(wide) {
			width = wide
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, framed, r.PathValue("page"), width, height*2)
	})
	mux.HandleFunc("POST /measured", func(_ http.ResponseWriter, r *http.Request) {
		var found []measured
		if json.NewDecoder(r.Body).Decode(&found) == nil {
			select {
			case results <- found:
			default:
			}
		}
	})
	return mux
}

// window is a browser without a screen.
type window struct{ browser, profile, address string }

func (w window) command(ctx context.Context, args ...string) *exec.Cmd {
	common := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage",
		"--user-data-dir=" + w.profile,
	}
	command := exec.CommandContext(ctx, w.browser, append(common, args...)...)
	// It ends when a bus goes away that it has found, as that of a rig does.
	command.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/dev/null",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/dev/null")
	return command
}

// measure returns what is wrong with pages as an error.
func (w window) measure(results <-chan []measured) ([]measured, error) {
	ctx, cancel := context.WithTimeout(context.Background(), measureLimit)
	defer cancel()
	// It ends when it has no more to do: a port to debug at keeps it.
	command := w.command(ctx, "--remote-debugging-port=0", w.address+"/measuring")
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the browser: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var found []measured
	select {
	case found = <-results:
		cancel()
		<-ended
	case err := <-ended:
		return nil, fmt.Errorf("the browser ended before it had looked at all pages: %w", errors.Join(err, ctx.Err()))
	}
	var wrong []error
	for _, m := range found {
		if m.Width > narrow {
			wrong = append(wrong, fmt.Errorf("%s is %d pixels wide: %s", m.Page, m.Width, m.TooWide))
		}
		for _, picture := range m.Broken {
			wrong = append(wrong, fmt.Errorf("%s: the picture %s is not shown", m.Page, picture))
		}
	}
	return found, errors.Join(wrong...)
}

// picture writes a picture of the beginning of a page.
func (w window) picture(file, page string, width int, dark bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), pictureLimit)
	defer cancel()
	args := []string{
		fmt.Sprintf("--window-size=%d,%d", max(width, 500), height*2), "--screenshot=" + file,
	}
	if dark {
		args = append(args, "--blink-settings=preferredColorScheme=0")
	}
	out, err := w.command(ctx, append(args, fmt.Sprintf("%s/framed/%d/%s", w.address, width, page))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("a picture of %s: %w\n%s", page, err, out)
	}
	return nil
}
