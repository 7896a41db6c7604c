// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

const elfMagic = "\x7fELF"

// Places in a bzImage (Documentation/arch/x86/boot.rst of the kernel).
const (
	setupSectorsAt  = 0x1f1
	magicAt         = 0x202
	versionAt       = 0x206
	payloadOffsetAt = 0x248
	payloadLengthAt = 0x24c
	headerEnd       = 0x250
	sectorSize      = 512
	sizeLength      = 4
	payloadVersion  = 0x208 // of the boot protocol, the first with a payload's place
)

// unpackImage returns the kernel within an image where QEMU can start it directly: an ELF file with an entry for PVH
// (x86/HVM direct boot ABI). That saves the machine from unpacking it, which takes seconds where it is emulated. An
// image that has no such kernel, or has it packed in an unknown way, is nil.
func unpackImage(image []byte) ([]byte, error) {
	payload, err := imagePayload(image)
	if err != nil || payload == nil {
		return nil, err
	}
	kernel, err := unpack(payload)
	if err != nil {
		return nil, fmt.Errorf("unpack the kernel in the image: %w", err)
	}
	if !hasPVHEntry(kernel) {
		return nil, nil
	}
	return kernel, nil
}

// imagePayload returns the packed kernel of a bzImage, nil of another image.
func imagePayload(image []byte) ([]byte, error) {
	if len(image) < headerEnd || string(image[magicAt:magicAt+4]) != "HdrS" ||
		binary.LittleEndian.Uint16(image[versionAt:]) < payloadVersion {
		return nil, nil
	}
	start := (uint64(image[setupSectorsAt])+1)*sectorSize + uint64(binary.LittleEndian.Uint32(image[payloadOffsetAt:]))
	length := uint64(binary.LittleEndian.Uint32(image[payloadLengthAt:]))
	if length < sizeLength || start+length > uint64(len(image)) {
		return nil, fmt.Errorf("the image is damaged: its payload of %d bytes lies beyond its end", length)
	}
	payload := image[start : start+length]
	if !bytes.HasPrefix(payload, []byte(gzipMagic)) {
		// The size of what is unpacked, with which gzip ends anyway, has been added.
		payload = payload[:length-sizeLength]
	}
	return payload, nil
}

// noteEntry is XEN_ELFNOTE_PHYS32_ENTRY, the note with the address of the entry for PVH.
const noteEntry = 18

func hasPVHEntry(kernel []byte) bool {
	file, err := elf.NewFile(bytes.NewReader(kernel))
	if err != nil {
		return false
	}
	for _, p := range file.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz > 1<<20 {
			continue
		}
		notes, err := io.ReadAll(p.Open())
		if err == nil && findNote(notes, "Xen\x00", noteEntry) {
			return true
		}
	}
	return false
}

// findNote looks for a note (elf(5)) by name and type.
func findNote(notes []byte, name string, kind uint32) bool {
	const header = 12
	align := func(n uint64) uint64 { return (n + 3) &^ 3 }
	for len(notes) >= header {
		nameSize := uint64(binary.LittleEndian.Uint32(notes))
		valueSize := uint64(binary.LittleEndian.Uint32(notes[4:]))
		size := header + align(nameSize) + align(valueSize)
		if size > uint64(len(notes)) {
			return false
		}
		if binary.LittleEndian.Uint32(notes[8:]) == kind && string(notes[header:header+nameSize]) == name {
			return true
		}
		notes = notes[size:]
	}
	return false
}
