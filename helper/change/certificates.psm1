# certificates.psm1: finding the one certificate that is meant, and showing it.

# Every certificate of a store with this thumbprint. The caller wants exactly one.
function Find-ExsealCertificate {
    param([string]$Store, [string]$Thumbprint)
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store -ArgumentList $Store, 'LocalMachine'
    # 0 ReadOnly, 4 OpenExistingOnly.
    $opened.Open([Security.Cryptography.X509Certificates.OpenFlags]4)
    try {
        foreach ($certificate in $opened.Certificates) {
            if ($certificate.Thumbprint -eq $Thumbprint) { $certificate }
        }
    }
    finally { $opened.Close() }
}

# The one certificate of a store with this thumbprint, or an error.
function Get-ExsealOneCertificate {
    param([string]$Store, [string]$Thumbprint)
    $found = @(Find-ExsealCertificate -Store $Store -Thumbprint $Thumbprint)
    if ($found.Count -eq 0) { throw (New-ExsealError -Code 'NotFound' -Expected ('certificate ' + $Thumbprint + ' in ' + $Store) -Found 'none') }
    if ($found.Count -gt 1) { throw (New-ExsealError -Code 'Ambiguous' -Expected ('one certificate ' + $Thumbprint + ' in ' + $Store) -Found ([string]$found.Count)) }
    return $found[0]
}

# The one certificate with a private key that opens, or an error: nothing is bound to a certificate that cannot serve.
function Get-ExsealServingCertificate {
    param([string]$Store, [string]$Thumbprint)
    $certificate = Get-ExsealOneCertificate -Store $Store -Thumbprint $Thumbprint
    $problem = 'no private key'
    if ($certificate.HasPrivateKey) {
        $key = Get-ExsealKey -Certificate $certificate
        if ($null -eq $key.error -and $null -ne $key.provider) { return $certificate }
        $problem = 'a private key that does not open: ' + $key.error
    }
    throw (New-ExsealError -Code 'NoPrivateKey' -Expected ('certificate ' + $Thumbprint + ' with a private key') -Found $problem)
}

# A certificate as the reading half shows it, with its store.
function Show-ExsealCertificate {
    param([Security.Cryptography.X509Certificates.X509Certificate2]$Certificate, [string]$Store)
    $key = $null
    if ($Certificate.HasPrivateKey) { $key = Get-ExsealKey -Certificate $Certificate }
    [pscustomobject]@{
        store         = $Store
        thumbprint    = $Certificate.Thumbprint
        der           = [Convert]::ToBase64String($Certificate.RawData)
        friendlyName  = $Certificate.FriendlyName
        hasPrivateKey = [bool]$Certificate.HasPrivateKey
        key           = $key
    }
}

# A certificate of a store as it is shown, or nothing where there is none.
function Show-ExsealStored {
    param([string]$Store, [string]$Thumbprint)
    $found = @(Find-ExsealCertificate -Store $Store -Thumbprint $Thumbprint)
    if ($found.Count -eq 0) { return $null }
    if ($found.Count -gt 1) { throw (New-ExsealError -Code 'Ambiguous' -Expected ('one certificate ' + $Thumbprint + ' in ' + $Store) -Found ([string]$found.Count)) }
    return (Show-ExsealCertificate -Certificate $found[0] -Store $Store)
}

# Puts a certificate into a store of the local machine.
function Add-ExsealToStore {
    param([string]$Store, [Security.Cryptography.X509Certificates.X509Certificate2]$Certificate)
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store -ArgumentList $Store, 'LocalMachine'
    # 1 ReadWrite, 4 OpenExistingOnly.
    $opened.Open([Security.Cryptography.X509Certificates.OpenFlags]5)
    try { $opened.Add($Certificate) } finally { $opened.Close() }
}
