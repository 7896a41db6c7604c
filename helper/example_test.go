// SPDX-License-Identifier: Apache-2.0

package helper_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

func ExampleManager() {
	ctx := context.Background()
	m := helper.New(helper.Options{Warn: log.Printf, Console: os.Stderr})
	s, err := m.Create(ctx, helper.CreateOptions{Name: "web1", Units: []string{"apache2"}, Copy: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.StartUnit(ctx, s.Name); err != nil {
		log.Fatal(err)
	}
	status, err := m.Execute(ctx, s.Name, enter.Command{Args: []string{"apachectl", "-t"}}, false)
	fmt.Println(status, err)
	if err := m.StopUnit(ctx, s.Name); err != nil {
		log.Fatal(err)
	}
	if _, err := m.Delete(ctx, s.Name, "", false); err != nil {
		log.Fatal(err)
	}
}
