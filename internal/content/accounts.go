// SPDX-License-Identifier: Apache-2.0

package content

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// accountsName lists the accounts that a container has been given.
const accountsName = filestate.OwnDir + "/accounts"

// maxList bounds a list of accounts, in bytes. A longer one of a container stays as it is.
const maxList = 4 << 20

// accounts gives the container lists of users and groups of its own: those of the host's system and services, and whom
// its units run as. What the host's packages add later is added at the next start, but never twice.
func (b *builder) accounts() error {
	lists, err := b.systemAccounts()
	if err != nil {
		return err
	}
	for _, f := range accountFiles(lists) {
		if err := b.file(f.name, account.Text(f.lines), f.mode); err != nil {
			return err
		}
	}
	if b.renewal != nil {
		return nil
	}
	known, err := filetree.ReadSmall(b.tree, accountsName, maxList)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read which accounts the container has: %w", err)
	}
	offered := account.ParseOffered(string(known))
	fresh := offered.Add(lists)
	if len(fresh.Users)+len(fresh.Groups) == 0 {
		return nil
	}
	if b.complete {
		for _, f := range accountFiles(fresh) {
			complete := func(old string) string { return account.Complete(old, f.lines, f.numbered) }
			if err := filetree.ChangeSmall(b.tree, f.name, filestate.OwnDir+"/accounts.new", maxList, complete); err != nil {
				return fmt.Errorf("add accounts to %s: %w", f.name, err)
			}
		}
	}
	return b.tree.WriteFile(accountsName, []byte(offered.String()), 0o600)
}

// accountFile is a list of accounts in the tree.
type accountFile struct {
	name     string
	lines    []string
	mode     uint32
	numbered bool // whether the third field of a line is the account's number
}

func accountFiles(l *account.Lists) []accountFile {
	return []accountFile{
		{"etc/passwd", l.Users, 0o644, true}, {"etc/group", l.Groups, 0o644, true},
		{"etc/shadow", account.Locked(l.Users, false), 0o600, false},
		{"etc/gshadow", account.Locked(l.Groups, true), 0o600, false},
	}
}

// systemAccounts returns the accounts of the host's system, whom the units or the command run as, and the users that
// units would get for the time that they run. Units that the host has not whoever enables them tells of.
func (b *builder) systemAccounts() (*account.Lists, error) {
	set, err := b.units()
	if err != nil {
		return nil, err
	}
	asked := []string{strconv.FormatUint(uint64(b.sandbox.Identity.UID), 10)}
	for _, u := range set.Inside() {
		asked = append(asked, u.Accounts()...)
	}
	lists, err := account.System(b.host.Root, asked)
	if err != nil {
		return nil, err
	}
	for _, u := range set.Inside() {
		if user, group, ok := u.DynamicUser(); ok {
			lists.AddDynamic(user, group)
		}
	}
	return lists, nil
}

// etc readies the container's /etc to be laid over the host's: of private directories, and of the units, nothing of the
// host's is seen. Content of versions before this one gets its marks so.
func (b *builder) etc() error {
	if b.renewal != nil {
		return nil
	}
	if err := b.tree.Mkdir(filestate.EtcWork, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var dirs []string
	for _, p := range b.sandbox.Private {
		if topOf(p.Path) == etcTop {
			dirs = append(dirs, p.Path[1:])
		}
	}
	if !b.sandbox.Generic() && !slices.Contains(dirs, SystemDir) {
		dirs = append(dirs, SystemDir)
	}
	for _, dir := range dirs {
		if err := b.markOpaque(dir); err != nil {
			return fmt.Errorf("ready /%s: %w", dir, err)
		}
	}
	return nil
}

// markOpaque has a directory of the tree show nothing of the host's. What is no directory shows nothing of it anyway.
func (b *builder) markOpaque(dir string) error {
	f, err := b.tree.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = filetree.MarkOpaque(int(f.Fd()))
	if b.host.Root != "" && errors.Is(err, fs.ErrPermission) {
		return nil // Who tries it without being root mounts nothing.
	}
	return err
}
