# iis.psm1: bindings and application pools of IIS, through its own assembly.

# The one https binding of a site, or an error. Its manager has to live as long as it.
function Get-ExsealBinding {
    param($Manager, [int]$SiteId, [string]$BindingInformation)
    $found = @(foreach ($site in $Manager.Sites) {
        if ($site.Id -ne $SiteId) { continue }
        foreach ($binding in $site.Bindings) {
            if ($binding.Protocol -eq 'https' -and $binding.BindingInformation -eq $BindingInformation) { $binding }
        }
    })
    $where = 'one https binding ' + $BindingInformation + ' of site ' + $SiteId
    if ($found.Count -eq 0) { throw (New-ExsealError -Code 'NotFound' -Expected $where -Found 'none') }
    if ($found.Count -gt 1) { throw (New-ExsealError -Code 'Ambiguous' -Expected $where -Found ([string]$found.Count)) }
    return $found[0]
}

# A binding as the reading half shows it, with its site.
function Show-ExsealBinding {
    param($Binding, [int]$SiteId)
    $hash = $null
    if ($null -ne $Binding.CertificateHash) { $hash = [BitConverter]::ToString($Binding.CertificateHash).Replace('-', '') }
    [pscustomobject]@{
        siteId               = $SiteId
        protocol             = $Binding.Protocol
        bindingInformation   = $Binding.BindingInformation
        certificateHash      = $hash
        certificateStoreName = $Binding.CertificateStoreName
        sslFlags             = [int]$Binding.Attributes['sslFlags'].Value
    }
}

function Set-ExsealWebBinding {
    <#
    .SYNOPSIS
    Lets IIS put a certificate on an existing https binding, which makes or renews the binding's entry of http.sys. Nothing else of the
    configuration is written.
    .PARAMETER SiteId
    1 is Default Web Site, 2 Exchange Back End.
    .PARAMETER Expected
    The thumbprint the binding has now; empty: none.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][int]$SiteId,
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z.:\[\]_*-]+$')][string]$BindingInformation,
        [Parameter(Mandatory = $true)][AllowNull()][AllowEmptyString()][ValidatePattern('^([0-9A-Fa-f]{40})?$')][string]$Expected,
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [ValidateSet('MY', 'WebHosting')][string]$Store = 'MY'
    )
    $acting = $false
    $managers = @()
    try {
        $wanted = ConvertTo-ExsealHash -Text $Thumbprint
        $null = Get-ExsealServingCertificate -Store $Store -Thumbprint $wanted
        $managers += Get-ExsealServerManager
        $binding = Get-ExsealBinding -Manager $managers[0] -SiteId $SiteId -BindingInformation $BindingInformation
        $before = Show-ExsealBinding -Binding $binding -SiteId $SiteId
        $current = ConvertTo-ExsealHash -Text $before.certificateHash
        if ($current -eq $wanted -and $before.certificateStoreName -eq $Store) {
            return (New-ExsealResult -Changed $false -Before $before -After $before)
        }
        if ($current -ne (ConvertTo-ExsealHash -Text $Expected)) {
            throw (New-ExsealError -Code 'Moved' -Expected (ConvertTo-ExsealHash -Text $Expected) -Found $current)
        }
        $call = $binding.Methods['AddSslCertificate'].CreateInstance()
        $call.Input.SetAttributeValue('certificateHash', $wanted)
        $call.Input.SetAttributeValue('certificateStoreName', $Store)
        $acting = $true
        $null = $call.Execute()
        $managers += Get-ExsealServerManager
        $again = Get-ExsealBinding -Manager $managers[1] -SiteId $SiteId -BindingInformation $BindingInformation
        $after = Show-ExsealBinding -Binding $again -SiteId $SiteId
        if ((ConvertTo-ExsealHash -Text $after.certificateHash) -ne $wanted) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($BindingInformation + ' with ' + $wanted) -Found (ConvertTo-ExsealHash -Text $after.certificateHash))
        }
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
    finally { foreach ($manager in $managers) { $manager.Dispose() } }
}

# The state of an application pool by its name, or an error.
function Get-ExsealPoolState {
    param([string]$Name)
    foreach ($pool in @(Get-ExsealAppPool)) {
        if ($pool.name -eq $Name) { return $pool }
    }
    throw (New-ExsealError -Code 'NotFound' -Expected ('application pool ' + $Name) -Found 'none')
}

# Does one thing to an application pool.
function Invoke-ExsealPool {
    param([string]$Name, [string]$What)
    $manager = Get-ExsealServerManager
    try {
        foreach ($pool in $manager.ApplicationPools) {
            if ($pool.Name -ne $Name) { continue }
            if ($What -eq 'Start') { $null = $pool.Start() }
            if ($What -eq 'Stop') { $null = $pool.Stop() }
            if ($What -eq 'Recycle') { $null = $pool.Recycle() }
        }
    }
    finally { $manager.Dispose() }
}

# Waits until a pool is in a state, as long as it is allowed.
function Wait-ExsealPool {
    param([string]$Name, [string]$State, [int]$Seconds)
    $until = [DateTime]::UtcNow.AddSeconds($Seconds)
    while ($true) {
        $pool = Get-ExsealPoolState -Name $Name
        if ($pool.state -eq $State) { return $pool }
        if ([DateTime]::UtcNow -ge $until) {
            throw (New-ExsealError -Code 'Timeout' -Effect 'unknown' -Expected ($Name + ' ' + $State) -Found $pool.state)
        }
        [Threading.Thread]::Sleep(200)
    }
}

function Start-ExsealAppPool {
    <#
    .SYNOPSIS
    Starts an application pool. One that is started stays as it is.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z ._-]+$')][string]$Name,
        [ValidateRange(1, 600)][int]$TimeoutSeconds = 60
    )
    $acting = $false
    try {
        $before = Get-ExsealPoolState -Name $Name
        if ($before.state -eq 'Started') { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $acting = $true
        Invoke-ExsealPool -Name $Name -What 'Start'
        New-ExsealResult -Changed $true -Before $before -After (Wait-ExsealPool -Name $Name -State 'Started' -Seconds $TimeoutSeconds)
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Stop-ExsealAppPool {
    <#
    .SYNOPSIS
    Stops an application pool: what undoes a start. One that is stopped stays as it is.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z ._-]+$')][string]$Name,
        [ValidateRange(1, 600)][int]$TimeoutSeconds = 60
    )
    $acting = $false
    try {
        $before = Get-ExsealPoolState -Name $Name
        if ($before.state -eq 'Stopped') { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $acting = $true
        Invoke-ExsealPool -Name $Name -What 'Stop'
        New-ExsealResult -Changed $true -Before $before -After (Wait-ExsealPool -Name $Name -State 'Stopped' -Seconds $TimeoutSeconds)
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Restart-ExsealAppPool {
    <#
    .SYNOPSIS
    Recycles an application pool that is started.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z ._-]+$')][string]$Name,
        [ValidateRange(1, 600)][int]$TimeoutSeconds = 60
    )
    $acting = $false
    try {
        $before = Get-ExsealPoolState -Name $Name
        if ($before.state -ne 'Started') { throw (New-ExsealError -Code 'NotRunning' -Expected ($Name + ' Started') -Found $before.state) }
        $acting = $true
        Invoke-ExsealPool -Name $Name -What 'Recycle'
        New-ExsealResult -Changed $true -Before $before -After (Wait-ExsealPool -Name $Name -State 'Started' -Seconds $TimeoutSeconds)
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

Export-ModuleMember -Function Set-ExsealWebBinding, Start-ExsealAppPool, Stop-ExsealAppPool, Restart-ExsealAppPool
