# http-sys.psm1: entries of http.sys, which decide what answers on an address and port.

# The registry key of an entry of http.sys.
function Get-ExsealHttpSysPath {
    param([string]$Endpoint, [bool]$Sni)
    $kind = 'SslBindingInfo'
    if ($Sni) { $kind = 'SslSniBindingInfo' }
    return ('HKLM:\SYSTEM\CurrentControlSet\Services\HTTP\Parameters\' + $kind + '\' + $Endpoint)
}

# Every value of an entry as text, by name; nothing where there is no entry.
function Get-ExsealHttpSysValue {
    param([string]$Endpoint, [bool]$Sni)
    $path = Get-ExsealHttpSysPath -Endpoint $Endpoint -Sni $Sni
    $values = @{}
    if (-not (Test-Path -LiteralPath $path)) { return $values }
    $entry = Get-Item -LiteralPath $path
    foreach ($name in $entry.GetValueNames()) {
        $value = $entry.GetValue($name)
        if ($value -is [byte[]]) { $value = [Convert]::ToBase64String($value) }
        $values[$name] = [string]$value
    }
    return $values
}

# An entry as the reading half shows it; nothing where there is none.
function Get-ExsealHttpSysEntry {
    param([string]$Endpoint, [bool]$Sni)
    foreach ($entry in @(Get-ExsealHttpSys)) {
        if ($entry.sni -eq $Sni -and $entry.endpoint -eq $Endpoint) { return $entry }
    }
    return $null
}

# Asks netsh, by its exit code only: its words are in the language of Windows. What it did is read back by the caller.
function Invoke-ExsealNetsh {
    param([string[]]$Arguments)
    $program = Join-Path -Path $env:windir -ChildPath 'System32\netsh.exe'
    $null = & $program @Arguments
    return $LASTEXITCODE
}

# The words by which netsh knows an entry.
function Get-ExsealNetshName {
    param([string]$Endpoint, [bool]$Sni)
    if ($Sni) { return ('hostnameport=' + $Endpoint) }
    return ('ipport=' + $Endpoint)
}

function Set-ExsealHttpSysCertificate {
    <#
    .SYNOPSIS
    Puts another certificate on an address and port of http.sys. Every other value of the entry stays.
    .PARAMETER Endpoint
    As Get-ExsealHttpSys shows it: 0.0.0.0:444.
    .PARAMETER Expected
    The thumbprint that is there now; empty: an entry without one, or with -Add no entry.
    .PARAMETER Thumbprint
    The certificate to be served: one of the store, with a private key that opens.
    .PARAMETER Add
    Adds the entry where there is none. Without it, an entry that is not there is an error.
    .PARAMETER AppId
    Whose the entry is, where it is added. IIS by default.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z.:\[\]_*-]+:[0-9]{1,5}$')][string]$Endpoint,
        [bool]$Sni = $false,
        [Parameter(Mandatory = $true)][AllowNull()][AllowEmptyString()][ValidatePattern('^([0-9A-Fa-f]{40})?$')][string]$Expected,
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [ValidateSet('MY', 'WebHosting')][string]$Store = 'MY',
        [bool]$Add = $false,
        [ValidatePattern('^\{[0-9A-Fa-f-]{36}\}$')][string]$AppId = '{4dc3e181-e14b-4a21-b022-59fc669b0914}'
    )
    $acting = $false
    try {
        $wanted = ConvertTo-ExsealHash -Text $Thumbprint
        $null = Get-ExsealServingCertificate -Store $Store -Thumbprint $wanted
        $before = Get-ExsealHttpSysEntry -Endpoint $Endpoint -Sni $Sni
        if ($null -eq $before -and -not $Add) {
            throw (New-ExsealError -Code 'NotFound' -Expected ('an entry of http.sys for ' + $Endpoint) -Found 'none')
        }
        $current = 'none'
        $name = $Store
        $owner = $AppId
        if ($null -ne $before) {
            $current = ConvertTo-ExsealHash -Text $before.thumbprint
            # An entry that never had a store or an owner gets those of the arguments.
            if (-not [string]::IsNullOrEmpty($before.store)) { $name = $before.store }
            if (-not [string]::IsNullOrEmpty($before.appId)) { $owner = $before.appId }
        }
        if ($null -ne $before -and $current -eq $wanted -and $name -eq $Store) {
            return (New-ExsealResult -Changed $false -Before $before -After $before)
        }
        if ($current -ne (ConvertTo-ExsealHash -Text $Expected)) {
            throw (New-ExsealError -Code 'Moved' -Expected (ConvertTo-ExsealHash -Text $Expected) -Found $current)
        }
        $values = Get-ExsealHttpSysValue -Endpoint $Endpoint -Sni $Sni
        $how = 'update'
        if ($null -eq $before) { $how = 'add' }
        $acting = $true
        $code = Invoke-ExsealNetsh -Arguments 'http', $how, 'sslcert', (Get-ExsealNetshName -Endpoint $Endpoint -Sni $Sni), ('certhash=' + $wanted), ('appid=' + $owner), ('certstorename=' + $Store)
        $after = Get-ExsealHttpSysEntry -Endpoint $Endpoint -Sni $Sni
        $now = 'none'
        if ($null -ne $after) { $now = ConvertTo-ExsealHash -Text $after.thumbprint }
        if ($now -ne $wanted) {
            $effect = 'unknown'
            if ($now -eq $current) { $effect = 'none' }
            throw (New-ExsealError -Code 'NotTaken' -Effect $effect -Expected ($Endpoint + ' with ' + $wanted) -Found ($now + ', exit code of netsh ' + $code))
        }
        if ($null -ne $before) {
            $later = Get-ExsealHttpSysValue -Endpoint $Endpoint -Sni $Sni
            $lost = @(foreach ($one in $values.Keys) {
                if ($one -ne 'SslCertHash' -and $one -ne 'SslCertStoreName' -and $later[$one] -ne $values[$one]) { $one }
            })
            if ($lost.Count -gt 0) {
                throw (New-ExsealError -Code 'OtherValuesChanged' -Effect 'done' -Expected 'every other value as before' -Found ($lost -join ', '))
            }
        }
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Remove-ExsealHttpSysEntry {
    <#
    .SYNOPSIS
    Takes an entry out of http.sys: what undoes an added one, or frees what a stray one hides.
    .PARAMETER Expected
    The thumbprint that is there now; empty: an entry without one.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z.:\[\]_*-]+:[0-9]{1,5}$')][string]$Endpoint,
        [bool]$Sni = $false,
        [Parameter(Mandatory = $true)][AllowNull()][AllowEmptyString()][ValidatePattern('^([0-9A-Fa-f]{40})?$')][string]$Expected
    )
    $acting = $false
    try {
        $before = Get-ExsealHttpSysEntry -Endpoint $Endpoint -Sni $Sni
        if ($null -eq $before) { return (New-ExsealResult -Changed $false -Before $null -After $null) }
        $current = ConvertTo-ExsealHash -Text $before.thumbprint
        if ($current -ne (ConvertTo-ExsealHash -Text $Expected)) {
            throw (New-ExsealError -Code 'Moved' -Expected (ConvertTo-ExsealHash -Text $Expected) -Found $current)
        }
        $acting = $true
        $code = Invoke-ExsealNetsh -Arguments 'http', 'delete', 'sslcert', (Get-ExsealNetshName -Endpoint $Endpoint -Sni $Sni)
        $after = Get-ExsealHttpSysEntry -Endpoint $Endpoint -Sni $Sni
        if ($null -ne $after) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'none' -Expected ('no entry for ' + $Endpoint) -Found ('one, exit code of netsh ' + $code))
        }
        New-ExsealResult -Changed $true -Before $before -After $null
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

Export-ModuleMember -Function Set-ExsealHttpSysCertificate, Remove-ExsealHttpSysEntry
