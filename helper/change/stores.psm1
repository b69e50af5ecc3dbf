# stores.psm1: certificates of the machine's stores: public copies, and removal.

function Copy-ExsealCertificate {
    <#
    .SYNOPSIS
    Copies a certificate of My, its public part only, into the root or intermediate authorities of the machine.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [Parameter(Mandatory = $true)][ValidateSet('Root', 'CA')][string]$To
    )
    $acting = $false
    try {
        $wanted = ConvertTo-ExsealHash -Text $Thumbprint
        $before = Show-ExsealStored -Store $To -Thumbprint $wanted
        if ($null -ne $before) { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $certificate = Get-ExsealOneCertificate -Store 'My' -Thumbprint $wanted
        $public = New-Object Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, $certificate.RawData)
        $public.FriendlyName = $certificate.FriendlyName
        $acting = $true
        Add-ExsealToStore -Store $To -Certificate $public
        $after = Show-ExsealStored -Store $To -Thumbprint $wanted
        if ($null -eq $after) { throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($wanted + ' in ' + $To) -Found 'none') }
        New-ExsealResult -Changed $true -Before $null -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Add-ExsealCertificate {
    <#
    .SYNOPSIS
    Puts a certificate without a key into the root or intermediate authorities of the machine: what undoes a removal from there.
    .PARAMETER Der
    The certificate as Base64.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Za-z+/]+={0,2}$')][string]$Der,
        [Parameter(Mandatory = $true)][ValidateSet('Root', 'CA')][string]$Store,
        [ValidateLength(0, 63)][string]$FriendlyName = ''
    )
    $acting = $false
    try {
        $wanted = ConvertTo-ExsealHash -Text $Thumbprint
        $before = Show-ExsealStored -Store $Store -Thumbprint $wanted
        if ($null -ne $before) { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $bytes = [Convert]::FromBase64String($Der)
        $certificate = New-Object Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, $bytes)
        if ($certificate.Thumbprint -ne $wanted) { throw (New-ExsealError -Code 'WrongCertificate' -Expected $wanted -Found $certificate.Thumbprint) }
        if ($certificate.HasPrivateKey) { throw (New-ExsealError -Code 'Refused' -Expected 'a certificate without a key' -Found 'one with a key') }
        if ($FriendlyName -ne '') { $certificate.FriendlyName = $FriendlyName }
        $acting = $true
        Add-ExsealToStore -Store $Store -Certificate $certificate
        $after = Show-ExsealStored -Store $Store -Thumbprint $wanted
        if ($null -eq $after) { throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($wanted + ' in ' + $Store) -Found 'none') }
        New-ExsealResult -Changed $true -Before $null -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

# What on this server itself names a certificate of My: entries of http.sys, listeners of WinRM.
function Get-ExsealReference {
    param([string]$Thumbprint)
    foreach ($entry in @(Get-ExsealHttpSys)) {
        if ($entry.thumbprint -eq $Thumbprint) { 'http.sys ' + $entry.endpoint }
    }
    $root = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener'
    if (Test-Path -LiteralPath $root) {
        foreach ($listener in Get-ChildItem -LiteralPath $root) {
            $hash = [string]$listener.GetValue('certThumbprint', '')
            if ($hash.Replace(' ', '') -eq $Thumbprint) { 'WinRM ' + $listener.PSChildName }
        }
    }
}

function Remove-ExsealCertificate {
    <#
    .SYNOPSIS
    Takes a certificate out of a store, with its key only when the caller says so. One that http.sys or WinRM names is refused; what
    Exchange and others refer to is the caller's to know.
    .PARAMETER DeleteKey
    Whether the private key goes, too. That cannot be taken back.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidateSet('My', 'Root', 'CA', 'WebHosting', 'REQUEST')][string]$Store,
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [Parameter(Mandatory = $true)][bool]$DeleteKey
    )
    $acting = $false
    try {
        $wanted = ConvertTo-ExsealHash -Text $Thumbprint
        $found = @(Find-ExsealCertificate -Store $Store -Thumbprint $wanted)
        if ($found.Count -eq 0) { return (New-ExsealResult -Changed $false -Before $null -After $null) }
        if ($found.Count -gt 1) { throw (New-ExsealError -Code 'Ambiguous' -Expected ('one certificate ' + $wanted + ' in ' + $Store) -Found ([string]$found.Count)) }
        $certificate = $found[0]
        if ($Store -eq 'My' -or $Store -eq 'WebHosting') {
            $references = @(Get-ExsealReference -Thumbprint $wanted)
            if ($references.Count -gt 0) { throw (New-ExsealError -Code 'InUse' -Expected ('nothing that names ' + $wanted) -Found ($references -join ', ')) }
        }
        $before = Show-ExsealCertificate -Certificate $certificate -Store $Store
        $opened = New-Object Security.Cryptography.X509Certificates.X509Store -ArgumentList $Store, 'LocalMachine'
        $opened.Open([Security.Cryptography.X509Certificates.OpenFlags]5)
        $acting = $true
        try {
            $key = $null
            if ($DeleteKey -and $null -ne $before.key -and $null -eq $before.key.error) {
                $key = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($certificate)
                if ($null -eq $key) { $key = [Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($certificate) }
            }
            $opened.Remove($certificate)
            if ($key -is [Security.Cryptography.RSACryptoServiceProvider]) {
                $key.PersistKeyInCsp = $false
                $key.Clear()
            }
            elseif ($null -ne $key) { $key.Key.Delete() }
        }
        finally { $opened.Close() }
        if (@(Find-ExsealCertificate -Store $Store -Thumbprint $wanted).Count -ne 0) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ('no ' + $wanted + ' in ' + $Store) -Found 'one')
        }
        New-ExsealResult -Changed $true -Before $before -After $null
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

Export-ModuleMember -Function Copy-ExsealCertificate, Add-ExsealCertificate, Remove-ExsealCertificate
