# Exseal.psm1: what exseal reads on an Exchange server. Reading only; nothing here changes anything.
# For Windows PowerShell 5.1, elevated, 64 bit. Each function is one reading with one plain result; the contract is contract.json.
# No function reads text that Windows translates: objects, numbers, ids and SIDs only.

Set-StrictMode -Version 2.0

# A point in time the same way everywhere: UTC, RFC 3339.
function ConvertTo-ExsealTime {
    param($Time)
    if ($null -eq $Time) { return $null }
    return ([datetime]$Time).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

# The clock, and the zone it is read in.
function Get-ExsealClock {
    $now = [DateTimeOffset]::Now
    [pscustomobject]@{
        utc              = $now.UtcDateTime.ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
        timeZone         = [TimeZoneInfo]::Local.Id
        utcOffsetMinutes = [int]$now.Offset.TotalMinutes
    }
}

# Who may read a key, as SIDs, from its security descriptor in binary form.
function Get-ExsealReader {
    param([byte[]]$Descriptor)
    $security = New-Object Security.AccessControl.RawSecurityDescriptor -ArgumentList $Descriptor, 0
    $sids = @(foreach ($rule in $security.DiscretionaryAcl) {
        # 1 is FILE_READ_DATA, 0x80000000 GENERIC_READ, 0x10000000 GENERIC_ALL; a deny rule gives nobody anything.
        $reads = ($rule.AccessMask -band 1) -or ($rule.AccessMask -band 0x90000000)
        if ($reads -and $rule.AceType -eq 'AccessAllowed') { $rule.SecurityIdentifier.Value }
    })
    $sids | Sort-Object -Unique
}

# Where a certificate's key is and who may read it. Opens the key's handle, never the key itself.
function Get-ExsealKey {
    param([Security.Cryptography.X509Certificates.X509Certificate2]$Certificate)
    $found = [ordered]@{
        provider = $null; providerType = $null; keySpec = $null; exportable = $null; readers = $null; error = $null
    }
    try {
        $key = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
        if ($null -eq $key) {
            $key = [Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($Certificate)
        }
        if ($key -is [Security.Cryptography.RSACryptoServiceProvider]) {
            $container = $key.CspKeyContainerInfo
            $found.provider = $container.ProviderName
            $found.providerType = [int]$container.ProviderType
            $found.keySpec = [int]$container.KeyNumber
            $found.exportable = [bool]$container.Exportable
            $found.readers = @(Get-ExsealReader -Descriptor $container.CryptoKeySecurity.GetSecurityDescriptorBinaryForm())
        }
        elseif ($null -ne $key) {
            $found.provider = $key.Key.Provider.Provider
            $found.providerType = 0
            $found.keySpec = 0
            # 1 AllowExport, 2 AllowPlaintextExport.
            $found.exportable = [bool]([int]$key.Key.ExportPolicy -band 3)
            # 4 is DACL_SECURITY_INFORMATION.
            $options = [Security.Cryptography.CngPropertyOptions]4
            $descriptor = $key.Key.GetProperty('Security Descr', $options)
            $found.readers = @(Get-ExsealReader -Descriptor $descriptor.GetValue())
        }
    }
    catch {
        # The key is gone, or may not be opened: that is an answer too. HRESULT, because texts are translated.
        $found.error = '0x{0:X8}' -f $_.Exception.GetBaseException().HResult
    }
    return $found
}

# The certificates of a store of the local machine, in the store's order.
function Get-ExsealStore {
    param([ValidateSet('My', 'REQUEST', 'Root', 'CA', 'WebHosting')][string]$Name = 'My')
    $store = New-Object Security.Cryptography.X509Certificates.X509Store -ArgumentList $Name, 'LocalMachine'
    # 0 ReadOnly, 4 OpenExistingOnly.
    $store.Open([Security.Cryptography.X509Certificates.OpenFlags]4)
    try {
        foreach ($certificate in $store.Certificates) {
            $key = $null
            if ($certificate.HasPrivateKey) { $key = Get-ExsealKey -Certificate $certificate }
            [pscustomobject]@{
                thumbprint    = $certificate.Thumbprint
                der           = [Convert]::ToBase64String($certificate.RawData)
                friendlyName  = $certificate.FriendlyName
                hasPrivateKey = [bool]$certificate.HasPrivateKey
                key           = $key
            }
        }
    }
    finally { $store.Close() }
}

# The table of http.sys as the service keeps it in the registry: what really answers on an address and port.
function Get-ExsealHttpSys {
    $root = 'HKLM:\SYSTEM\CurrentControlSet\Services\HTTP\Parameters'
    foreach ($kind in 'SslBindingInfo', 'SslSniBindingInfo') {
        $path = Join-Path -Path $root -ChildPath $kind
        if (-not (Test-Path -LiteralPath $path)) { continue }
        foreach ($entry in Get-ChildItem -LiteralPath $path) {
            $hash = $entry.GetValue('SslCertHash')
            $thumbprint = $null
            if ($null -ne $hash -and $hash.Length -eq 20) { $thumbprint = [BitConverter]::ToString($hash).Replace('-', '') }
            $id = $entry.GetValue('AppId')
            $appId = $null
            if ($null -ne $id -and $id.Length -eq 16) { $appId = (New-Object Guid -ArgumentList (, $id)).ToString('B') }
            [pscustomobject]@{
                endpoint                   = $entry.PSChildName
                sni                        = ($kind -eq 'SslSniBindingInfo')
                thumbprint                 = $thumbprint
                store                      = $entry.GetValue('SslCertStoreName')
                appId                      = $appId
                # 2 is HTTP_SERVICE_CONFIG_SSL_FLAG_NEGOTIATE_CLIENT_CERT.
                negotiateClientCertificate = [bool]([int]$entry.GetValue('DefaultFlags', 0) -band 2)
            }
        }
    }
}

# The configuration of IIS, read through its own assembly.
function Get-ExsealServerManager {
    $assembly = Join-Path -Path $env:windir -ChildPath 'System32\inetsrv\Microsoft.Web.Administration.dll'
    Add-Type -LiteralPath $assembly
    return (New-Object Microsoft.Web.Administration.ServerManager)
}

# Sites of IIS with their bindings.
function Get-ExsealWebSite {
    $manager = Get-ExsealServerManager
    try {
        foreach ($site in $manager.Sites) {
            $bindings = @(foreach ($binding in $site.Bindings) {
                $hash = $null
                if ($null -ne $binding.CertificateHash) { $hash = [BitConverter]::ToString($binding.CertificateHash).Replace('-', '') }
                [pscustomobject]@{
                    protocol             = $binding.Protocol
                    bindingInformation   = $binding.BindingInformation
                    certificateHash      = $hash
                    certificateStoreName = $binding.CertificateStoreName
                    sslFlags             = [int]$binding.Attributes['sslFlags'].Value
                }
            })
            $state = $null
            # A site without an http binding has no state.
            try { $state = $site.State.ToString() } catch { $state = $null }
            [pscustomobject]@{ id = [int]$site.Id; name = $site.Name; state = $state; bindings = $bindings }
        }
    }
    finally { $manager.Dispose() }
}

# Application pools.
function Get-ExsealAppPool {
    $manager = Get-ExsealServerManager
    try {
        foreach ($pool in $manager.ApplicationPools) {
            [pscustomobject]@{ name = $pool.Name; state = $pool.State.ToString() }
        }
    }
    finally { $manager.Dispose() }
}

# Services an Exchange server needs. State and StartMode are constants of WMI, the same in every language.
function Get-ExsealService {
    $filter = "Name LIKE 'MSExchange%' OR Name LIKE 'ADAM%' OR Name = 'W3SVC' OR Name = 'WAS' OR Name = 'IISADMIN' OR Name = 'WinRM'"
    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter $filter) {
        [pscustomobject]@{ name = $service.Name; state = $service.State; startMode = $service.StartMode }
    }
}

# Events about certificates of the last days, by source and id: how many, the youngest, its insertion values.
function Get-ExsealEvent {
    param([int]$Days = 30)
    $wanted = @(
        @{ log = 'Application'; provider = 'MSExchangeTransport'; ids = 1036, 2004, 12012, 12013, 12014, 12015, 12016, 12017, 12018, 12019, 12023, 12024 },
        @{ log = 'Application'; provider = 'MSExchangeFrontEndTransport'; ids = 12012, 12013, 12014, 12015, 12016 },
        @{ log = 'Application'; provider = 'MSExchange EdgeSync'; ids = 1035, 10104 },
        @{ log = 'Application'; provider = 'MSExchange OAuth'; ids = 2004, 2005, 2006, 2007, 2008 },
        @{ log = 'System'; provider = 'Microsoft-Windows-HttpEvent'; ids = 15021, 15300, 15301 },
        @{ log = 'System'; provider = 'Schannel'; ids = 36870, 36871, 36888 }
    )
    $since = (Get-Date).AddDays(-$Days)
    foreach ($one in $wanted) {
        $filter = @{ LogName = $one.log; ProviderName = $one.provider; Id = $one.ids; StartTime = $since }
        # Without such a source or such an event the cmdlet throws; then there is nothing to tell.
        try { $events = @(Get-WinEvent -FilterHashtable $filter -ErrorAction Stop) } catch { continue }
        foreach ($group in ($events | Group-Object -Property Id)) {
            $youngest = $group.Group | Sort-Object -Property TimeCreated -Descending | Select-Object -First 1
            $values = @(foreach ($property in $youngest.Properties) { [string]$property.Value })
            [pscustomobject]@{
                provider = $one.provider
                id       = [int]$group.Name
                count    = $group.Count
                last     = ConvertTo-ExsealTime -Time $youngest.TimeCreated
                values   = $values
            }
        }
    }
}

# Builds: file version of ExSetup.exe, Windows.
function Get-ExsealBuild {
    $setup = $null
    $path = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup' -Name MsiInstallPath -ErrorAction SilentlyContinue
    if ($null -ne $path) {
        $file = Join-Path -Path $path.MsiInstallPath -ChildPath 'bin\ExSetup.exe'
        if (Test-Path -LiteralPath $file) { $setup = (Get-Item -LiteralPath $file).VersionInfo.FileVersion }
    }
    $system = Get-CimInstance -ClassName Win32_OperatingSystem
    [pscustomobject]@{
        exsetup        = $setup
        windows        = $system.Version
        # 2 is a domain controller.
        domainController = ($system.ProductType -eq 2)
        restartPending = (Test-Path -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending')
    }
}

# Switches in the registry that decide about certificates. A value that is not there is null.
function Get-ExsealRegistry {
    $read = {
        param($Path, $Name)
        $item = Get-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction SilentlyContinue
        if ($null -eq $item) { return $null }
        return [string]$item.$Name
    }
    [pscustomobject]@{
        disableRootAutoUpdate       = & $read 'HKLM:\SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot' 'DisableRootAutoUpdate'
        enableEccCertificateSupport = & $read 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Diagnostics' 'EnableEccCertificateSupport'
    }
}

# Scheduled tasks that may renew certificates, by what they start. Arguments are cut down to the script: they may hold secrets.
function Get-ExsealTask {
    $signs = 'MonitorExchangeAuthCertificate', 'wacs', 'win-acme', 'letsencrypt', 'certify', 'posh-acme', 'acme'
    foreach ($task in Get-ScheduledTask) {
        foreach ($action in @($task.Actions)) {
            if (-not $action.PSObject.Properties['Execute']) { continue }
            $line = [string]$action.Execute + ' ' + [string]$action.Arguments
            $known = $signs | Where-Object -FilterScript { $line.IndexOf($_, [StringComparison]::OrdinalIgnoreCase) -ge 0 }
            if (-not $known) { continue }
            $script = [regex]::Match([string]$action.Arguments, '[^\s"'']+\.(ps1|exe|cmd|bat)')
            $started = ([string]$action.Execute + ' ' + $script.Value).Trim()
            $info = $task | Get-ScheduledTaskInfo
            [pscustomobject]@{
                path    = $task.TaskPath + $task.TaskName
                action  = $started
                # 1 is Disabled.
                enabled = ([int]$task.State -ne 1)
                lastRun = ConvertTo-ExsealTime -Time $info.LastRunTime
                nextRun = ConvertTo-ExsealTime -Time $info.NextRunTime
            }
        }
    }
}

# Lines at the end of transport's protocol logs and of the setup log that name a certificate: a thumbprint, or an answer of TLS.
function Get-ExsealLogLine {
    param([int]$Tail = 2000, [int]$Limit = 200)
    $files = @()
    $setup = Join-Path -Path $env:SystemDrive -ChildPath 'ExchangeSetupLogs\ExchangeSetup.log'
    if (Test-Path -LiteralPath $setup) { $files += Get-Item -LiteralPath $setup }
    $path = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup' -Name MsiInstallPath -ErrorAction SilentlyContinue
    if ($null -ne $path) {
        foreach ($folder in 'FrontEnd\ProtocolLog\SmtpReceive', 'FrontEnd\ProtocolLog\SmtpSend', 'Hub\ProtocolLog\SmtpSend') {
            $logs = Join-Path -Path $path.MsiInstallPath -ChildPath ('TransportRoles\Logs\' + $folder)
            if (-not (Test-Path -LiteralPath $logs)) { continue }
            $files += Get-ChildItem -LiteralPath $logs -Filter '*.LOG' | Sort-Object -Property LastWriteTimeUtc -Descending | Select-Object -First 1
        }
    }
    foreach ($file in $files) {
        $found = Get-Content -LiteralPath $file.FullName -Tail $Tail |
            Select-String -Pattern '[0-9A-Fa-f]{40}', '454 4\.7\.[05]', '451 5\.7\.3', '\[ERROR\]' | Select-Object -Last $Limit
        foreach ($line in $found) {
            [pscustomobject]@{ file = $file.FullName; line = [int]$line.LineNumber; text = $line.Line }
        }
    }
}

# Volumes with a letter or a mount point.
function Get-ExsealDisk {
    # 3 is a local disk.
    foreach ($volume in Get-CimInstance -ClassName Win32_Volume -Filter 'DriveType = 3') {
        if ($null -eq $volume.Capacity) { continue }
        [pscustomobject]@{ name = $volume.Name; freeBytes = [long]$volume.FreeSpace; sizeBytes = [long]$volume.Capacity }
    }
}

Export-ModuleMember -Function Get-ExsealClock, Get-ExsealStore, Get-ExsealHttpSys, Get-ExsealWebSite, Get-ExsealAppPool, Get-ExsealService, Get-ExsealEvent, Get-ExsealBuild, Get-ExsealRegistry, Get-ExsealTask, Get-ExsealLogLine, Get-ExsealDisk
