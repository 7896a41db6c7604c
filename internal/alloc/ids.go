// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
)

// Ids for containers: above those that systemd gives its own, and that SSSD and FreeIPA give accounts of a domain;
// below the sign bit, which some programs trip over. It is a multiple of config.IDMapCount.
const (
	firstID = 30521 * config.IDMapCount
	lastID  = 1 << 31
)

// subordinateIDs are the files that give ranges of ids to users (subuid(5)).
func subordinateIDs() []string { return []string{"/etc/subuid", "/etc/subgid"} }

// ReserveIDs gives the sandbox a range of ids that no other has, if it wants one and has none, and keeps its range from
// others until the config tells of it.
func (b *Book) ReserveIDs(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	wanted := s.Hardening.IDMap
	if !wanted.Auto && !wanted.Mapped() {
		return new(lockfile.Lock), nil
	}
	allocation, err := b.Locks.Allocate(ctx, "id allocation")
	if err != nil {
		return nil, err
	}
	defer allocation.Release()
	if !wanted.Auto {
		if err := b.CheckIDs(s); err != nil {
			return nil, err
		}
		reservation, err := reserveRange(allocation, wanted)
		if err == nil && reservation == nil {
			err = field.Errorf("%s %s: another create has some of these ids; choose others, or auto",
				field.IDMap, wanted)
		}
		return reservation, err
	}
	taken, err := b.takenIDs(s.Name)
	if err != nil {
		return nil, err
	}
	for base := uint32(firstID); base <= lastID-config.IDMapCount; base += config.IDMapCount {
		candidate := config.IDMap{Base: base, Count: config.IDMapCount}
		if slices.ContainsFunc(taken, candidate.Overlaps) {
			continue
		}
		reservation, err := reserveRange(allocation, candidate)
		if err != nil {
			return nil, err
		}
		if reservation != nil {
			s.Hardening.IDMap = candidate
			return reservation, nil
		}
	}
	return nil, errors.New("no range of user ids is free; delete containers, or give ranges back in /etc/subuid and " +
		"/etc/subgid")
}

// reserveRange reserves a range of ids; it returns nil when another create has a part of it.
func reserveRange(allocation *lockfile.Allocation, ids config.IDMap) (*lockfile.Lock, error) {
	return allocation.IDs(lockfile.Range{
		First: ids.Base / config.IDMapCount,
		Last:  (ids.Base + ids.Count - 1) / config.IDMapCount,
	})
}

// CheckIDs refuses ids that are another container's too, as in a config that was copied by hand.
func (b *Book) CheckIDs(s *config.Sandbox) error {
	if !s.Hardening.IDMap.Mapped() {
		return nil
	}
	taken, err := b.takenIDs(s.Name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(taken, s.Hardening.IDMap.Overlaps) {
		return fmt.Errorf("%s: the ids of idmap=%s are another's too, in a config or in %s; write idmap=auto",
			b.Configs.Path(s.Name), s.Hardening.IDMap, strings.Join(subordinateIDs(), " or "))
	}
	return nil
}

// takenIDs returns the ranges of other sandboxes and of users.
func (b *Book) takenIDs(except string) ([]config.IDMap, error) {
	names, err := b.Configs.Names()
	if err != nil {
		return nil, err
	}
	var taken []config.IDMap
	for _, name := range names {
		if name == except {
			continue
		}
		other, err := b.Configs.Known(name)
		if err != nil {
			b.Warn("cannot tell which ids %s has: %v", name, err)
			continue
		}
		if other.Hardening.IDMap.Mapped() {
			taken = append(taken, other.Hardening.IDMap)
		}
	}
	for _, file := range subordinateIDs() {
		ranges, err := readSubordinateIDs(b.Root + file)
		if err != nil {
			return nil, err
		}
		taken = append(taken, ranges...)
	}
	return taken, nil
}

// readSubordinateIDs reads lines of USER:BASE:COUNT.
func readSubordinateIDs(file string) ([]config.IDMap, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read subordinate ids: %w", err)
	}
	defer f.Close()
	var ranges []config.IDMap
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 {
			continue
		}
		base, baseErr := strconv.ParseUint(fields[1], 10, 32)
		count, countErr := strconv.ParseUint(fields[2], 10, 32)
		if baseErr == nil && countErr == nil {
			ranges = append(ranges, config.IDMap{Base: uint32(base), Count: uint32(count)})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return ranges, nil
}
