# services.psm1: services of Windows, by name.

# A service by its name, never by the name it is shown with, or an error.
function Find-ExsealService {
    param([string]$Name)
    $found = @(Get-CimInstance -ClassName Win32_Service -Filter ("Name = '" + $Name + "'"))
    if ($found.Count -ne 1) { throw (New-ExsealError -Code 'NotFound' -Expected ('service ' + $Name) -Found ([string]$found.Count)) }
    return $found[0]
}

# A service as the reading half shows it. State and StartMode are constants of WMI, the same in every language.
function Show-ExsealService {
    param([string]$Name)
    $service = Find-ExsealService -Name $Name
    [pscustomobject]@{ name = $service.Name; state = $service.State; startMode = $service.StartMode }
}

# Several services, always as a list.
function Show-ExsealServiceList {
    param([string[]]$Names)
    foreach ($name in $Names) { Show-ExsealService -Name $name }
}

# Waits until a service is in a state, as long as it is allowed.
function Wait-ExsealService {
    param([string]$Name, [string]$State, [DateTime]$Until)
    while ($true) {
        $service = Show-ExsealService -Name $Name
        if ($service.state -eq $State) { return }
        if ([DateTime]::UtcNow -ge $Until) {
            throw (New-ExsealError -Code 'Timeout' -Effect 'unknown' -Expected ($Name + ' ' + $State) -Found $service.state)
        }
        [Threading.Thread]::Sleep(500)
    }
}

# Does one thing to a service by WMI and looks at the number that comes back.
function Invoke-ExsealService {
    param([string]$Name, [string]$Method, [hashtable]$Arguments = @{})
    $service = Find-ExsealService -Name $Name
    $result = Invoke-CimMethod -InputObject $service -MethodName $Method -Arguments $Arguments
    # 0 success; 10 it runs already; 6 it stands already. The state is read afterwards.
    if (0, 6, 10 -notcontains $result.ReturnValue) {
        throw (New-ExsealError -Code 'ServiceRefused' -Effect 'unknown' -Expected ($Method + ' of ' + $Name) -Found ('return value ' + $result.ReturnValue))
    }
}

# The way in to this server stays open: whoever stops it cannot start it again.
function Assert-ExsealWayIn {
    param([string[]]$Names)
    if ($Names -contains 'WinRM') { throw (New-ExsealError -Code 'Refused' -Expected 'a service other than the way in to this server' -Found 'WinRM') }
}

# The services that need this one and run now, in the order in which they have to be stopped.
function Get-ExsealDependent {
    param([string]$Name)
    # 1 is Stopped.
    foreach ($dependent in (Get-Service -Name $Name).DependentServices) {
        if ([int]$dependent.Status -ne 1) { $dependent.Name }
    }
}

# Those that run and need a service; an error when one of them is not among those that may be stopped.
function Get-ExsealAllowedDependent {
    param([string]$Name, [string[]]$Allowed)
    $running = @(Get-ExsealDependent -Name $Name)
    $others = @(foreach ($one in $running) { if ($Allowed -notcontains $one) { $one } })
    if ($others.Count -gt 0) {
        throw (New-ExsealError -Code 'DependentsRunning' -Expected ('nothing else that needs ' + $Name) -Found ($others -join ', '))
    }
    return $running
}

function Start-ExsealService {
    <#
    .SYNOPSIS
    Starts a service. One that runs stays as it is; one that is disabled is refused.
    .PARAMETER Name
    Its name, not the name it is shown with.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z$_.-]+$')][string]$Name,
        [ValidateRange(1, 1800)][int]$TimeoutSeconds = 300
    )
    $acting = $false
    try {
        $before = @(Show-ExsealServiceList -Names $Name)
        if ($before[0].state -eq 'Running') { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        if ($before[0].startMode -eq 'Disabled') { throw (New-ExsealError -Code 'ServiceDisabled' -Expected ($Name + ' not disabled') -Found 'Disabled') }
        $acting = $true
        Invoke-ExsealService -Name $Name -Method 'StartService'
        Wait-ExsealService -Name $Name -State 'Running' -Until ([DateTime]::UtcNow.AddSeconds($TimeoutSeconds))
        New-ExsealResult -Changed $true -Before $before -After @(Show-ExsealServiceList -Names $Name)
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Stop-ExsealService {
    <#
    .SYNOPSIS
    Stops a service, and of those that need it the named ones. One that is stopped stays as it is.
    .PARAMETER Dependents
    Services that need this one and may be stopped with it. Any other that runs makes the verb refuse.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z$_.-]+$')][string]$Name,
        [ValidatePattern('^[0-9A-Za-z$_.-]+$')][string[]]$Dependents = @(),
        [ValidateRange(1, 1800)][int]$TimeoutSeconds = 300
    )
    $acting = $false
    try {
        Assert-ExsealWayIn -Names (@($Dependents) + $Name)
        $null = Find-ExsealService -Name $Name
        $running = @(Get-ExsealAllowedDependent -Name $Name -Allowed $Dependents)
        $names = @($running) + $Name
        $before = @(Show-ExsealServiceList -Names $names)
        if ($before.Count -eq 1 -and $before[0].state -eq 'Stopped') { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $until = [DateTime]::UtcNow.AddSeconds($TimeoutSeconds)
        $acting = $true
        foreach ($one in $names) {
            Invoke-ExsealService -Name $one -Method 'StopService'
            Wait-ExsealService -Name $one -State 'Stopped' -Until $until
        }
        New-ExsealResult -Changed $true -Before $before -After @(Show-ExsealServiceList -Names $names)
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Restart-ExsealService {
    <#
    .SYNOPSIS
    Stops a service and those of the named ones that need it, and starts them again. One that is stopped is started; one that is
    disabled is refused.
    .PARAMETER Dependents
    Services that need this one and may be restarted with it. Any other that runs makes the verb refuse.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z$_.-]+$')][string]$Name,
        [ValidatePattern('^[0-9A-Za-z$_.-]+$')][string[]]$Dependents = @(),
        [ValidateRange(1, 1800)][int]$TimeoutSeconds = 300
    )
    $acting = $false
    try {
        Assert-ExsealWayIn -Names (@($Dependents) + $Name)
        $own = Show-ExsealService -Name $Name
        if ($own.startMode -eq 'Disabled') { throw (New-ExsealError -Code 'ServiceDisabled' -Expected ($Name + ' not disabled') -Found 'Disabled') }
        $null = Get-ExsealAllowedDependent -Name $Name -Allowed $Dependents
        # The named ones as they stand: one that a broken-off restart left stopped is started, too, unless it is disabled.
        $names = @($Dependents) + $Name
        $before = @(Show-ExsealServiceList -Names $names)
        $until = [DateTime]::UtcNow.AddSeconds($TimeoutSeconds)
        $acting = $true
        foreach ($one in $before) {
            if ($one.state -eq 'Stopped') { continue }
            Invoke-ExsealService -Name $one.name -Method 'StopService'
            Wait-ExsealService -Name $one.name -State 'Stopped' -Until $until
        }
        [array]::Reverse($names)
        foreach ($one in $names) {
            if ((Show-ExsealService -Name $one).startMode -eq 'Disabled') { continue }
            Invoke-ExsealService -Name $one -Method 'StartService'
            Wait-ExsealService -Name $one -State 'Running' -Until $until
        }
        [array]::Reverse($names)
        New-ExsealResult -Changed $true -Before $before -After @(Show-ExsealServiceList -Names $names)
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Set-ExsealServiceStart {
    <#
    .SYNOPSIS
    Sets how a service starts. One that is disabled stays so unless the caller says that it may change: a person may have wanted it.
    .PARAMETER Expected
    How it starts now.
    .PARAMETER FromDisabled
    Whether a disabled service may be changed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z$_.-]+$')][string]$Name,
        [Parameter(Mandatory = $true)][ValidateSet('Auto', 'Manual', 'Disabled')][string]$Expected,
        [Parameter(Mandatory = $true)][ValidateSet('Auto', 'Manual', 'Disabled')][string]$StartMode,
        [bool]$FromDisabled = $false
    )
    $acting = $false
    try {
        $before = @(Show-ExsealServiceList -Names $Name)
        if ($before[0].startMode -eq $StartMode) { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        if ($before[0].startMode -ne $Expected) { throw (New-ExsealError -Code 'Moved' -Expected $Expected -Found $before[0].startMode) }
        if ($before[0].startMode -eq 'Disabled' -and -not $FromDisabled) {
            throw (New-ExsealError -Code 'ServiceDisabled' -Expected ($Name + ' not disabled, or -FromDisabled') -Found 'Disabled')
        }
        if ($StartMode -eq 'Disabled') { Assert-ExsealWayIn -Names $Name }
        # The method's word for Auto is another one.
        $word = $StartMode
        if ($word -eq 'Auto') { $word = 'Automatic' }
        $acting = $true
        Invoke-ExsealService -Name $Name -Method 'ChangeStartMode' -Arguments @{ StartMode = $word }
        $after = @(Show-ExsealServiceList -Names $Name)
        if ($after[0].startMode -ne $StartMode) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($Name + ' ' + $StartMode) -Found $after[0].startMode)
        }
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

Export-ModuleMember -Function Start-ExsealService, Stop-ExsealService, Restart-ExsealService, Set-ExsealServiceStart
