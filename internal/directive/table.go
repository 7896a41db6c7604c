// SPDX-License-Identifier: Apache-2.0

package directive

// dependencies are the directives that name units (systemd.unit(5)).
const dependencies = "Requires Requisite Wants BindsTo Upholds Conflicts Before After OnSuccess OnFailure " +
	"PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom PartOf"

// What rows say in common.
const (
	noBefore = "no key bounds that before the container shares it with others"
	drives   = "give a drop-in of the unit inside, in the content's /etc/systemd/system"
	hasOwn   = "every container has its own"
)

// table is what becomes of each directive, in the order of the manual page.
func table() []row {
	var all []row
	for _, part := range [][]row{unitRows(), ownRows(), hostRows(), groupRows(), insideRows(), limitRows(), securityRows(),
		fileRows()} {
		all = append(all, part...)
	}
	return all
}

func unitRows() []row {
	return []row{
		{Unit, "SourcePath", Own, ""},
		{Unit, dependencies, Host, "passed on; NAME.sandbox in it becomes the unit of the sandbox NAME"},
		{Unit, "Description Documentation RequiresMountsFor WantsMountsFor OnSuccessJobMode OnFailureJobMode " +
			"OnFailureIsolate IgnoreOnIsolate StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate " +
			"DefaultDependencies SurviveFinalKillSignal CollectMode FailureAction SuccessAction FailureActionExitStatus " +
			"SuccessActionExitStatus JobTimeoutSec JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument " +
			"StartLimitIntervalSec StartLimitInterval StartLimitBurst StartLimitAction RebootArgument BindTo " +
			"PropagateReloadTo PropagateReloadFrom RequiresOverridable RequisiteOverridable", Host, "passed on"},
		{Unit, conditions("Condition") + " " + conditions("Assert"), Host, "passed on; the host must meet it"},
		{Unit, "JoinsNamespaceOf", Refused, "network namespaces of containers are their own; " +
			"write interface= in [network]"},
	}
}

// conditions are those of systemd.unit(5), with a prefix.
func conditions(prefix string) string {
	text := ""
	for _, kind := range []string{
		"PathExists", "PathExistsGlob", "PathIsDirectory", "PathIsSymbolicLink", "PathIsMountPoint", "PathIsReadWrite",
		"PathIsEncrypted", "PathIsSocket", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable", "NeedsUpdate",
		"FirstBoot", "Architecture", "Firmware", "Virtualization", "Host", "KernelCommandLine", "KernelVersion",
		"KernelModuleLoaded", "Version", "Credential", "Security", "Capability", "ACPower", "Memory", "CPUFeature", "CPUs",
		"Environment", "User", "Group", "ControlGroupController", "OSRelease", "MemoryPressure", "CPUPressure",
		"IOPressure", "Fraction",
	} {
		text += " " + prefix + kind
	}
	return text[1:]
}

func ownRows() []row {
	return []row{
		{Service, "Type ExitType ExecStart ExecStop ExecReload NotifyAccess KillMode PIDFile GuessMainPID BusName " +
			"RemainAfterExit User DynamicUser RootDirectory RootDirectoryStartOnly PermissionsStartOnly RootImage RootHash " +
			"RootHashSignature RootVerity RootImageOptions RootImagePolicy RootEphemeral RootMStack", Own, ""},
	}
}

func hostRows() []row {
	return []row{
		{Service, "ExecCondition ExecStartPre ExecStartPost ExecStopPost ExecReloadPost", Host,
			"passed on; it runs on the host"},
		{Service, "RestartSec RestartSteps RestartMaxDelaySec RestartMode RestartPreventExitStatus RestartForceExitStatus " +
			"SuccessExitStatus RuntimeMaxSec RuntimeRandomizedExtraSec StartLimitInterval StartLimitBurst StartLimitAction " +
			"FailureAction RebootArgument", Host, "passed on; it counts for the container as a whole"},
		{Service, "OOMScoreAdjust", Host, "passed on; all processes of the container begin with it"},
		{Service, "SyslogIdentifier SyslogFacility SyslogLevel SyslogLevelPrefix LogLevelMax LogRateLimitIntervalSec " +
			"LogRateLimitBurst LogExtraFields LogFilterPatterns LogNamespace StandardOutput StandardError", Host,
			"passed on; it is about the console and what the helper says, not what [journal] forward= passes on"},
		{Service, "TimeoutAbortSec TimeoutStartFailureMode TimeoutStopFailureMode TimeoutCleanSec KillSignal " +
			"RestartKillSignal FinalKillSignal SendSIGKILL SendSIGHUP OOMPolicy Sockets OpenFile NonBlocking " +
			"FileDescriptorStoreMax FileDescriptorStorePreserve USBFunctionDescriptors USBFunctionStrings ReloadSignal " +
			"RefreshOnReload LiveMountResult Group SupplementaryGroups CoredumpFilter CoredumpReceive " +
			"RemoveIPC StandardInput StandardInputText StandardInputData TTYPath TTYReset TTYVHangup TTYVTDisallocate TTYRows " +
			"TTYColumns SetLoginEnvironment PAMName IgnoreSIGPIPE UtmpIdentifier UtmpMode SmackProcessLabel KeyringMode " +
			"TimerSlackNSec SecureBits Personality MountFlags MountAPIVFS MemoryKSM MemoryTHP NUMAPolicy NUMAMask " +
			"ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ExecSearchPath ReadWriteDirectories " +
			"ReadOnlyDirectories InaccessibleDirectories ProtectSystem ProtectHome ProtectKernelModules ProtectClock " +
			"ProtectControlGroups ProtectHostname RestrictFileSystems ExtensionDirectories ExtensionImages " +
			"ExtensionImagePolicy CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting " +
			"MemoryPressureWatch MemoryPressureThresholdSec ManagedOOMSwap ManagedOOMMemoryPressure " +
			"ManagedOOMMemoryPressureLimit ManagedOOMMemoryPressureDurationSec ManagedOOMPreference Delegate DelegateSubgroup " +
			"DisableControllers", Host, "passed on; it is about the helper beside the container"},
	}
}

func groupRows() []row {
	return []row{
		{Service, "CPUWeight IOWeight MemoryHigh MemoryLow MemorySwapMax AllowedCPUs AllowedMemoryNodes", Group,
			"set at the container's cgroup; a start warns where the host's cgroups lack it"},
	}
}

func insideRows() []row {
	return []row{
		{Service, "LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS LimitNPROC LimitMEMLOCK " +
			"LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME", Inside,
			"carried to the services of the sandbox inside; LimitNOFILE= up to 524288"},
		{Service, "Nice UMask IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy CPUSchedulingPriority " +
			"CPUSchedulingResetOnFork CPUAffinity", Inside, "carried to the services of the sandbox inside"},
		{Service, "NoNewPrivileges RestrictSUIDSGID RestrictRealtime RestrictAddressFamilies LockPersonality " +
			"MemoryDenyWriteExecute SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog", Inside,
			"carried to the services of the sandbox inside"},
	}
}

func limitRows() []row {
	return []row{
		{Service, "MemoryMax MemoryLimit", Refused, "write memory= in [limits]"},
		{Service, "TasksMax", Refused, "write pids= in [limits]"},
		{Service, "CPUQuota CPUQuotaPeriodSec", Refused, "write cpus= in [limits], where 0.5 is CPUQuota=50%"},
		{Service, "CPUShares StartupCPUShares StartupCPUWeight", Refused, "write CPUWeight="},
		{Service, "StartupAllowedCPUs StartupAllowedMemoryNodes", Refused, "write AllowedCPUs= or AllowedMemoryNodes="},
		{Service, "BlockIOWeight StartupBlockIOWeight StartupIOWeight", Refused, "write IOWeight="},
		{Service, "IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax " +
			"IODeviceLatencyTargetSec BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth", Refused,
			noBefore + "; write IOWeight="},
		{Service, "MemoryMin DefaultMemoryMin DefaultMemoryLow DefaultStartupMemoryLow StartupMemoryLow StartupMemoryHigh " +
			"StartupMemoryMax StartupMemorySwapMax StartupMemoryZSwapMax MemoryZSwapMax MemoryZSwapWriteback", Refused,
			"write MemoryLow=, MemoryHigh= or MemorySwapMax="},
		{Service, "Slice", Refused, "libvirt has all containers in machine.slice; limits of that count for all of them"},
		{Service, "TimeoutStartSec TimeoutStopSec TimeoutSec", Refused,
			"write start-timeout= or stop-timeout= in [limits]"},
		{Service, "Restart", Refused, "write restart= in [sandbox]"},
		{Service, "WatchdogSec WatchdogSignal", Refused, "write health-cmd= in [sandbox]; for a service that " +
			"answers a watchdog by itself, " + drives},
		{Service, "Environment EnvironmentFile PassEnvironment UnsetEnvironment", Refused,
			"write the variables in [environment]"},
		{Service, "WorkingDirectory", Refused, drives},
	}
}

func securityRows() []row {
	return []row{
		{Service, "CapabilityBoundingSet AmbientCapabilities", Refused, "write capabilities= in [hardening]"},
		{Service, "RestrictNamespaces DelegateNamespaces UserNamespacePath", Refused,
			"write user-namespaces= in [hardening]"},
		{Service, "PrivateUsers", Refused, "write idmap= in [hardening]"},
		{Service, "PrivateMounts PrivateIPC PrivatePIDs IPCNamespacePath PrivateBPF BPFDelegateCommands BPFDelegateMaps " +
			"BPFDelegatePrograms BPFDelegateAttachments BPFProgram", Refused, hasOwn},
		{Service, "ProtectKernelTunables", Refused, "write read-only-kernel= in [hardening]"},
		{Service, "ProtectKernelLogs ProtectProc ProcSubset", Refused, "write hide-kernel= in [hardening]"},
		{Service, "SELinuxContext", Refused, "write label= in [security]"},
		{Service, "AppArmorProfile", Refused, "write apparmor= in [security]"},
		{Service, "PrivateNetwork", Refused, "write mode=private or mode=host in [network]"},
		{Service, "NetworkNamespacePath", Refused, "write interface= in [network]"},
		{Service, "IPAddressAllow IPAddressDeny SocketBindAllow SocketBindDeny RestrictNetworkInterfaces " +
			"IPIngressFilterPath IPEgressFilterPath NFTSet BindNetworkInterface", Refused,
			"write interface= with filter= in [network]"},
	}
}

func fileRows() []row {
	return []row{
		{Service, "PrivateDevices DeviceAllow DevicePolicy", Refused, "a container has no devices of the host but for " +
			"disk= in [disks]"},
		{Service, "PrivateTmp", Refused, "every container has a /tmp of its own; write tmp-size= in [limits]"},
		{Service, "BindPaths", Refused, "write host-bind= in [mounts]"},
		{Service, "BindReadOnlyPaths BindLogSockets", Refused, "write host-show= in [mounts]"},
		{Service, "TemporaryFileSystem", Refused, "write ram= in [mounts]"},
		{Service, "MountImages MountImagePolicy", Refused, "write host-image= in [mounts]"},
		{Service, "LoadCredential LoadCredentialEncrypted ImportCredential SetCredential SetCredentialEncrypted", Refused,
			"write host-show= in [mounts] for a file, or [environment]"},
		{Service, "StateDirectory StateDirectoryMode StateDirectoryQuota StateDirectoryAccounting CacheDirectory " +
			"CacheDirectoryMode CacheDirectoryQuota CacheDirectoryAccounting LogsDirectory LogsDirectoryMode " +
			"LogsDirectoryQuota LogsDirectoryAccounting ConfigurationDirectory ConfigurationDirectoryMode", Refused,
			"write path= in [private]"},
		{Service, "RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve", Refused,
			"every container has a /run of its own; write run-size= in [limits]"},
	}
}
