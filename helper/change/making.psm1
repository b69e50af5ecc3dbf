# making.psm1: certificates with a key: made here, or taken in from a file.

# The certificates of My with a serial number, in either order of its bytes: which of them Windows writes is its own business.
function Find-ExsealSerial {
    param([string]$Serial)
    $pairs = @(for ($at = $Serial.Length - 2; $at -ge 0; $at -= 2) { $Serial.Substring($at, 2) })
    $reversed = $pairs -join ''
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store -ArgumentList 'My', 'LocalMachine'
    $opened.Open([Security.Cryptography.X509Certificates.OpenFlags]4)
    try {
        foreach ($certificate in $opened.Certificates) {
            if ($certificate.SerialNumber -eq $Serial -or $certificate.SerialNumber -eq $reversed) { $certificate }
        }
    }
    finally { $opened.Close() }
}

# An object identifier as CertEnroll wants it.
function New-ExsealObjectId {
    param([string]$Value)
    $id = New-Object -ComObject X509Enrollment.CObjectId
    $null = $id.InitializeFromValue($Value)
    return $id
}

function New-ExsealCertificate {
    <#
    .SYNOPSIS
    Makes a self-signed certificate in My, with an RSA key in the provider Exchange wants (CAPI), SHA-256, for servers. No Exchange
    cmdlet is needed. The serial number is the caller's, so that a second call with it finds what the first one made.
    .PARAMETER Serial
    32 hexadecimal digits, the first of the first and of the last byte from 1 to 7, chosen at random by the caller.
    .PARAMETER DnsNames
    The names of the subject alternative name, in this order. None: no such extension.
    .PARAMETER Days
    Lifetime from now, by the server's clock.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^CN=[0-9A-Za-z ._-]{1,64}$')][string]$Subject,
        [ValidatePattern('^[0-9A-Za-z.*-]{1,255}$')][string[]]$DnsNames = @(),
        [Parameter(Mandatory = $true)][ValidateLength(1, 63)][string]$FriendlyName,
        [Parameter(Mandatory = $true)][ValidateRange(1, 3650)][int]$Days,
        [ValidateSet(2048, 4096)][int]$KeySize = 2048,
        [bool]$Exportable = $false,
        [Parameter(Mandatory = $true)][ValidatePattern('^[1-7][0-9A-F]{29}[1-7][0-9A-F]$')][string]$Serial
    )
    $acting = $false
    $orphan = $null
    try {
        $made = @(Find-ExsealSerial -Serial $Serial)
        if ($made.Count -gt 1) { throw (New-ExsealError -Code 'Ambiguous' -Expected ('at most one certificate with serial number ' + $Serial) -Found ([string]$made.Count)) }
        if ($made.Count -eq 1) {
            $own = $made[0]
            if ($own.Subject -ne $Subject -or $own.Issuer -ne $Subject) {
                throw (New-ExsealError -Code 'WrongCertificate' -Expected ($Subject + ' with serial number ' + $Serial) -Found $own.Subject)
            }
            $null = Get-ExsealServingCertificate -Store 'My' -Thumbprint $own.Thumbprint
            $shown = Show-ExsealCertificate -Certificate $own -Store 'My'
            return (New-ExsealResult -Changed $false -Before $shown -After $shown)
        }
        # Whatever a method of COM gives back is not the result of this verb.
        $name = New-Object -ComObject X509Enrollment.CX500DistinguishedName
        $null = $name.Encode($Subject, 0)
        $key = New-Object -ComObject X509Enrollment.CX509PrivateKey
        $key.ProviderName = 'Microsoft RSA SChannel Cryptographic Provider'
        # 1 is AT_KEYEXCHANGE.
        $key.KeySpec = 1
        $key.Length = $KeySize
        $key.MachineContext = $true
        # 1 AllowExport, 0 none.
        $key.ExportPolicy = [int]$Exportable
        # SYSTEM and Administrators; anybody else is a step of its own.
        $key.SecurityDescriptor = 'D:PAI(A;;0xd01f01ff;;;SY)(A;;0xd01f01ff;;;BA)'
        $purposes = New-Object -ComObject X509Enrollment.CObjectIds
        $null = $purposes.Add((New-ExsealObjectId -Value '1.3.6.1.5.5.7.3.1'))
        $purpose = New-Object -ComObject X509Enrollment.CX509ExtensionEnhancedKeyUsage
        $null = $purpose.InitializeEncode($purposes)
        $usage = New-Object -ComObject X509Enrollment.CX509ExtensionKeyUsage
        # 0x80 digitalSignature, 0x20 keyEncipherment.
        $null = $usage.InitializeEncode(0xA0)
        $usage.Critical = $true
        $basic = New-Object -ComObject X509Enrollment.CX509ExtensionBasicConstraints
        $null = $basic.InitializeEncode($false, -1)
        $basic.Critical = $true
        $acting = $true
        $null = $key.Create()
        $orphan = $key
        $request = New-Object -ComObject X509Enrollment.CX509CertificateRequestCertificate
        # 2 is the machine.
        $null = $request.InitializeFromPrivateKey(2, $key, '')
        $request.Subject = $name
        $request.Issuer = $name
        # CertEnroll takes these as UTC.
        $now = [DateTime]::UtcNow
        $request.NotBefore = $now
        $request.NotAfter = $now.AddDays($Days)
        $bytes = [byte[]]@(for ($at = 0; $at -lt $Serial.Length; $at += 2) { [Convert]::ToByte($Serial.Substring($at, 2), 16) })
        # 1 is Base64.
        $null = $request.SerialNumber.InvokeSet([Convert]::ToBase64String($bytes), 1)
        $null = $request.X509Extensions.Add($usage)
        $null = $request.X509Extensions.Add($purpose)
        $null = $request.X509Extensions.Add($basic)
        if ($DnsNames.Count -gt 0) {
            $names = New-Object -ComObject X509Enrollment.CAlternativeNames
            foreach ($one in $DnsNames) {
                $alternative = New-Object -ComObject X509Enrollment.CAlternativeName
                # 3 is a DNS name.
                $null = $alternative.InitializeFromString(3, $one)
                $null = $names.Add($alternative)
            }
            $extension = New-Object -ComObject X509Enrollment.CX509ExtensionAlternativeNames
            $null = $extension.InitializeEncode($names)
            $null = $request.X509Extensions.Add($extension)
        }
        # SHA-256.
        $request.HashAlgorithm = New-ExsealObjectId -Value '2.16.840.1.101.3.4.2.1'
        $null = $request.Encode()
        $enrollment = New-Object -ComObject X509Enrollment.CX509Enrollment
        $null = $enrollment.InitializeFromRequest($request)
        $enrollment.CertificateFriendlyName = $FriendlyName
        $text = $enrollment.CreateRequest(1)
        # From here on the key may belong to a certificate.
        $orphan = $null
        # 2 is AllowUntrustedCertificate: it is its own issuer.
        $null = $enrollment.InstallResponse(2, $text, 1, '')
        $found = @(Find-ExsealSerial -Serial $Serial)
        if ($found.Count -ne 1) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ('one certificate with serial number ' + $Serial) -Found ([string]$found.Count))
        }
        $after = Show-ExsealCertificate -Certificate $found[0] -Store 'My'
        if ($null -eq $after.key -or $null -ne $after.key.error) {
            throw (New-ExsealError -Code 'NoPrivateKey' -Effect 'done' -Expected ('certificate ' + $after.thumbprint + ' with a private key') -Found 'none that opens')
        }
        New-ExsealResult -Changed $true -Before $null -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
    finally {
        # A key without certificate is of no use to anybody; that it could not be deleted changes nothing about the error.
        if ($null -ne $orphan) { try { $orphan.Delete() } catch { $orphan = $null } }
    }
}

# The bytes that came as Base64 in a secure string. The text lives as short as .NET lets it.
function ConvertFrom-ExsealSecret {
    param([Security.SecureString]$Secret)
    $pointer = [Runtime.InteropServices.Marshal]::SecureStringToBSTR($Secret)
    try { return , [Convert]::FromBase64String([Runtime.InteropServices.Marshal]::PtrToStringBSTR($pointer)) }
    finally { [Runtime.InteropServices.Marshal]::ZeroFreeBSTR($pointer) }
}

function Import-ExsealCertificate {
    <#
    .SYNOPSIS
    Takes a certificate with its private key into My. File and password come as secure strings only, so that no log of Windows holds them.
    .PARAMETER Thumbprint
    The certificate the file has to hold.
    .PARAMETER Pfx
    The file (PKCS#12) as Base64.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidatePattern('^[0-9A-Fa-f]{40}$')][string]$Thumbprint,
        [ValidateLength(0, 63)][string]$FriendlyName = '',
        [bool]$Exportable = $false,
        [Parameter(Mandatory = $true)][Security.SecureString]$Pfx,
        [Parameter(Mandatory = $true)][Security.SecureString]$Password
    )
    $acting = $false
    $bytes = $null
    try {
        $wanted = ConvertTo-ExsealHash -Text $Thumbprint
        $before = Show-ExsealStored -Store 'My' -Thumbprint $wanted
        if ($null -ne $before -and $null -ne $before.key -and $null -eq $before.key.error) {
            return (New-ExsealResult -Changed $false -Before $before -After $before)
        }
        try { $bytes = ConvertFrom-ExsealSecret -Secret $Pfx }
        catch { throw (New-ExsealError -Code 'PfxUnreadable' -Expected 'Base64' -Found 'something else') }
        # Without PersistKeySet the key is gone again with the object.
        try { $looked = New-Object Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList $bytes, $Password, ([Security.Cryptography.X509Certificates.X509KeyStorageFlags]'MachineKeySet') }
        catch {
            $number = '0x{0:X8}' -f $_.Exception.GetBaseException().HResult
            throw (New-ExsealError -Code 'PfxUnreadable' -Expected 'a PKCS#12 file that opens with the password' -Found $number -HResult $number)
        }
        $there = $looked.Thumbprint
        $hasKey = [bool]$looked.HasPrivateKey
        $looked.Dispose()
        if ($there -ne $wanted) { throw (New-ExsealError -Code 'WrongCertificate' -Expected $wanted -Found $there) }
        if (-not $hasKey) { throw (New-ExsealError -Code 'NoPrivateKey' -Expected 'a PKCS#12 file with a private key' -Found 'none') }
        $storage = [Security.Cryptography.X509Certificates.X509KeyStorageFlags]'MachineKeySet, PersistKeySet'
        if ($Exportable) { $storage = $storage -bor [Security.Cryptography.X509Certificates.X509KeyStorageFlags]'Exportable' }
        $acting = $true
        $certificate = New-Object Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList $bytes, $Password, $storage
        if ($FriendlyName -ne '') { $certificate.FriendlyName = $FriendlyName }
        Add-ExsealToStore -Store 'My' -Certificate $certificate
        $after = Show-ExsealStored -Store 'My' -Thumbprint $wanted
        if ($null -eq $after -or $null -eq $after.key -or $null -ne $after.key.error) {
            throw (New-ExsealError -Code 'NotTaken' -Effect 'unknown' -Expected ($wanted + ' with its key in My') -Found 'not so')
        }
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
    finally { if ($null -ne $bytes) { [array]::Clear($bytes, 0, $bytes.Length) } }
}

Export-ModuleMember -Function New-ExsealCertificate, Import-ExsealCertificate
