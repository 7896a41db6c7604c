# SPDX-License-Identifier: Apache-2.0

# Has needrestart(1) tell of sandboxes with processes that run what was replaced, and restart them with our own verb, which
# restarts no more than is needed.
package NeedRestart::CONT::virtsandbox;

use strict;
use warnings;

use parent qw(NeedRestart::CONT);
use JSON::PP ();
use NeedRestart qw(:cont);

# The sandboxes that run, by the PID namespace of each.
my %running;

sub sandbox_of {
    my ($pid) = @_;
    my $namespace = readlink("/proc/$pid/ns/pid");
    return defined $namespace ? $running{$namespace} : undef;
}

# The state of each run names the first process of the container, as the host wrote it: nothing that a container says counts.
sub look {
    %running = ();
    for my $file (glob '/run/virt-sandbox/*/state.json') {
        my ($name) = $file =~ m{^/run/virt-sandbox/([A-Za-z0-9][A-Za-z0-9_.@-]*)/} or next;
        open my $in, '<', $file or next;
        my $state = eval { JSON::PP::decode_json(do { local $/; <$in> }) };
        close $in;
        my $pid = ref $state eq 'HASH' && ref $state->{admission} eq 'HASH' && $state->{admission}{init}{pid} or next;
        my $namespace = readlink("/proc/$pid/ns/pid");
        $running{$namespace} = $name if defined $namespace && $namespace ne (readlink('/proc/self/ns/pid') // '');
    }
}

sub new {
    my $class = shift;
    my $self = $class->SUPER::new(@_);
    $self->{stale} = {};
    look();
    return bless $self, $class;
}

# check says whether a process is one of a sandbox. More arguments would say whether no restart is wanted, which is so for process
# 1 alone, and that is none of ours; needrestart 3.6 has another number there.
sub check {
    my ($self, $pid) = @_;
    my $name = sandbox_of($pid) // return 0;
    $self->{stale}{$name} = 1;
    return 1;
}

# get has the command for each sandbox.
sub get {
    my ($self) = @_;
    return map { $_ => ['virt-sandbox-service', 'needs-restart', '--restart', $_] } keys %{ $self->{stale} };
}

# needrestart asks its modules in no order, and systemd-machined knows our containers too, by names that its command does not
# take: what is ours is none of that module's.
if (eval { require NeedRestart::CONT::machined; 1 }) {
    my $theirs = NeedRestart::CONT::machined->can('check');
    no warnings qw(redefine once);
    *NeedRestart::CONT::machined::check = sub { return defined sandbox_of($_[1]) ? 0 : $theirs->(@_) };
}

needrestart_cont_register(__PACKAGE__) unless $<;

1;
