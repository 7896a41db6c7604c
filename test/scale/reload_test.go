// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// What configs cost at each systemctl daemon-reload, of the generator and of systemd, which loads no unit that is not
// used.
func TestReload(t *testing.T) {
	rig.On(t, rig.BenchHost)
	rig.Needs(t, rig.Systemd)
	const dir = "/etc/libvirt-sandbox/services"
	made := 0
	t.Cleanup(func() {
		for i := range made {
			if err := os.Remove(fmt.Sprintf("%s/sc-reload%d.sandbox", dir, i)); err != nil {
				t.Error(err)
			}
		}
		run(t, "systemctl", "daemon-reload")
	})
	for _, configs := range []int{0, 100, 1000} {
		for ; made < configs; made++ {
			name := fmt.Sprintf("sc-reload%d", made)
			text := fmt.Sprintf("[sandbox]\nformat=1\nname=%s\nunit=%s.service\n", name, unit)
			if err := os.WriteFile(dir+"/"+name+".sandbox", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var times []time.Duration
		for range 5 {
			begun := time.Now()
			run(t, "systemctl", "daemon-reload")
			times = append(times, time.Since(begun))
		}
		slices.Sort(times)
		fmt.Printf("systemctl daemon-reload with %d configs: %v\n", configs, times[len(times)/2].Round(time.Millisecond))
		if configs > 0 {
			run(t, "systemctl", "cat", fmt.Sprintf("%s@sc-reload%d.service", unit, configs-1))
		}
	}
}
