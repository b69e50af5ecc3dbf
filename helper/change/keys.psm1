# keys.psm1: who may read a private key, by SID.

# The file a certificate's private key lies in, or an error.
function Get-ExsealKeyFile {
    param([Security.Cryptography.X509Certificates.X509Certificate2]$Certificate)
    $key = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
    if ($null -eq $key) { $key = [Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($Certificate) }
    $name = ''
    if ($key -is [Security.Cryptography.RSACryptoServiceProvider]) { $name = $key.CspKeyContainerInfo.UniqueKeyContainerName }
    elseif ($null -ne $key) { $name = $key.Key.UniqueName }
    $root = Join-Path -Path ([Environment]::GetFolderPath('CommonApplicationData')) -ChildPath 'Microsoft\Crypto'
    foreach ($folder in 'RSA\MachineKeys', 'Keys', 'SystemKeys', 'RSA\S-1-5-18') {
        if ($name -eq '') { break }
        $path = Join-Path -Path (Join-Path -Path $root -ChildPath $folder) -ChildPath $name
        if ([IO.File]::Exists($path)) { return $path }
    }
    throw (New-ExsealError -Code 'NoKeyFile' -Expected ('a key file of ' + $Certificate.Thumbprint) -Found 'none in the machine''s key folders')
}

# Who may read a certificate's key, as the verbs about it show it.
function Show-ExsealKeyAccess {
    param([Security.Cryptography.X509Certificates.X509Certificate2]$Certificate)
    $key = Get-ExsealKey -Certificate $Certificate
    [pscustomobject]@{ thumbprint = $Certificate.Thumbprint; provider = $key.provider; readers = @($key.readers) }
}

# Adds or takes away the right to read a key file, by SID.
function Set-ExsealKeyRule {
    param([string]$Path, [string]$Sid, [bool]$Granted)
    $who = New-Object Security.Principal.SecurityIdentifier -ArgumentList $Sid
    $security = [IO.File]::GetAccessControl($Path, [Security.AccessControl.AccessControlSections]'Access')
    $rule = New-Object Security.AccessControl.FileSystemAccessRule -ArgumentList $who, ([Security.AccessControl.FileSystemRights]'Read'), ([Security.AccessControl.AccessControlType]'Allow')
    if ($Granted) { $security.AddAccessRule($rule) }
    else { $security.PurgeAccessRules($who) }
    [IO.File]::SetAccessControl($Path, $security)
}

function Grant-ExsealKeyAccess {
    <#
    .SYNOPSIS
    Lets an account read a certificate's private key, in a key file of CAPI or CNG alike.
    .PARAMETER Sid
    The account: S-1-5-20 is NETWORK SERVICE, as which transport runs.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [Parameter(Mandatory = $true)][ValidatePattern('^S-1-[0-9]+(-[0-9]+)+$')][string]$Sid
    )
    $acting = $false
    try {
        $certificate = Get-ExsealServingCertificate -Store 'My' -Thumbprint (ConvertTo-ExsealHash -Text $Thumbprint)
        $before = Show-ExsealKeyAccess -Certificate $certificate
        if ($before.readers -contains $Sid) { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $path = Get-ExsealKeyFile -Certificate $certificate
        $acting = $true
        Set-ExsealKeyRule -Path $path -Sid $Sid -Granted $true
        $again = Get-ExsealOneCertificate -Store 'My' -Thumbprint $certificate.Thumbprint
        $after = Show-ExsealKeyAccess -Certificate $again
        if ($after.readers -notcontains $Sid) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($Sid + ' among the readers') -Found ($after.readers -join ', '))
        }
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

function Revoke-ExsealKeyAccess {
    <#
    .SYNOPSIS
    Takes the right to read a certificate's private key from an account: what undoes a grant. SYSTEM and Administrators keep theirs.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [Parameter(Mandatory = $true)][ValidatePattern('^S-1-[0-9]+(-[0-9]+)+$')][string]$Sid
    )
    $acting = $false
    try {
        if ($Sid -eq 'S-1-5-18' -or $Sid -eq 'S-1-5-32-544') {
            throw (New-ExsealError -Code 'Refused' -Expected 'an account other than SYSTEM and Administrators' -Found $Sid)
        }
        $certificate = Get-ExsealServingCertificate -Store 'My' -Thumbprint (ConvertTo-ExsealHash -Text $Thumbprint)
        $before = Show-ExsealKeyAccess -Certificate $certificate
        if ($before.readers -notcontains $Sid) { return (New-ExsealResult -Changed $false -Before $before -After $before) }
        $path = Get-ExsealKeyFile -Certificate $certificate
        $acting = $true
        Set-ExsealKeyRule -Path $path -Sid $Sid -Granted $false
        $again = Get-ExsealOneCertificate -Store 'My' -Thumbprint $certificate.Thumbprint
        $after = Show-ExsealKeyAccess -Certificate $again
        if ($after.readers -contains $Sid) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($Sid + ' not among the readers') -Found ($after.readers -join ', '))
        }
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
}

Export-ModuleMember -Function Grant-ExsealKeyAccess, Revoke-ExsealKeyAccess
